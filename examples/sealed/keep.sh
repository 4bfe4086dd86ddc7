#!/bin/sh
# SPDX-FileCopyrightText: The sotto authors
# SPDX-License-Identifier: LGPL-2.1-or-later
# Seals a picture and a sound and keeps both in one file. Usage: keep.sh KEYFILE FILE.sotto
# `frames` may be set in the environment.
set -eu
exec gst-launch-1.0 -e sealed-mux name=mux ! filesink buffer-mode=unbuffered location="$2" \
  videotestsrc num-buffers="${frames:-300}" ! \
  video/x-raw,format=I420,width=320,height=240,framerate=30/1 ! vp8enc deadline=1 keyframe-max-dist=60 ! \
  e2ee-encrypt key-file="$1" ! mux. \
  audiotestsrc samplesperbuffer=1600 num-buffers="${frames:-300}" ! \
  audio/x-raw,rate=48000,channels=1 ! opusenc ! e2ee-encrypt key-file="$1" ! mux.
