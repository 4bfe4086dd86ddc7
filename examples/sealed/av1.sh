#!/bin/sh
# SPDX-FileCopyrightText: The sotto authors
# SPDX-License-Identifier: LGPL-2.1-or-later
# AV1 sealed, payloaded, depayloaded, opened and shown. Usage: av1.sh KEYFILE ("sotto keys new KEYFILE").
# `sink` and `frames` may be set in the environment.
set -eu
exec gst-launch-1.0 videotestsrc num-buffers="${frames:-300}" ! \
  video/x-raw,format=I420,width=320,height=240,framerate=30/1 ! av1enc cpu-used=8 usage-profile=realtime keyframe-max-dist=60 ! av1parse ! \
  e2ee-encrypt key-file="$1" ! sotto-rtpav1pay mtu=1200 ! sotto-rtpav1depay ! e2ee-decrypt key-file="$1" ! \
  av1dec ! videoconvert ! ${sink:-autovideosink}
