#!/bin/sh
# SPDX-FileCopyrightText: The sotto authors
# SPDX-License-Identifier: LGPL-2.1-or-later
# VP8 sealed, payloaded, depayloaded, opened and shown. Usage: vp8.sh KEYFILE ("sotto keys new KEYFILE").
# `sink` and `frames` may be set in the environment.
set -eu
exec gst-launch-1.0 videotestsrc num-buffers="${frames:-300}" ! \
  video/x-raw,format=I420,width=320,height=240,framerate=30/1 ! vp8enc deadline=1 keyframe-max-dist=60 ! \
  e2ee-encrypt key-file="$1" ! rtpvp8pay mtu=1200 ! rtpvp8depay ! e2ee-decrypt key-file="$1" ! \
  vp8dec ! videoconvert ! ${sink:-autovideosink}
