#!/bin/sh
# SPDX-FileCopyrightText: The sotto authors
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The smallest publisher that comes back by itself: gst-launch-1.0 and whip-sink in a loop.
#   examples/publish.sh http://127.0.0.1:8080/whip/demo [TOKEN-FILE]
# Needs GST_PLUGIN_PATH to hold the folder of libgstsotto.so. `sotto publish test` does the same with
# growing pauses, reports and hardware encoders.
location=${1:?the WHIP address of the mount}
token=${2:-}
pipeline=
trap 'kill -INT $pipeline 2>/dev/null; wait; exit 0' INT TERM  # -e: the session is ended, not cut.
while :; do
  gst-launch-1.0 -e whip-sink name=whip location="$location" auth-token-file="\"$token\"" \
    videotestsrc is-live=true pattern=ball ! video/x-raw,width=640,height=360,framerate=15/1 \
    ! vp8enc deadline=1 cpu-used=8 keyframe-max-dist=30 ! whip.video_0 &
  pipeline=$!
  wait "$pipeline"
  echo "The stream ended; trying again in 2 seconds. Ctrl-C ends it." >&2
  sleep 2
done
