#!/bin/sh
# SPDX-FileCopyrightText: The sotto authors
# SPDX-License-Identifier: LGPL-2.1-or-later
# H.265 sealed, payloaded, depayloaded, opened and shown. Usage: h265.sh KEYFILE ("sotto keys new KEYFILE").
# `sink` and `frames` may be set in the environment.
set -eu
exec gst-launch-1.0 videotestsrc num-buffers="${frames:-300}" ! \
  video/x-raw,format=I420,width=320,height=240,framerate=30/1 ! x265enc tune=zerolatency speed-preset=ultrafast key-int-max=60 ! \
  e2ee-encrypt key-file="$1" ! rtph265pay mtu=1200 config-interval=-1 ! rtph265depay ! e2ee-decrypt key-file="$1" ! \
  avdec_h265 ! videoconvert ! ${sink:-autovideosink}
