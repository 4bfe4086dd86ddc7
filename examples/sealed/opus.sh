#!/bin/sh
# SPDX-FileCopyrightText: The sotto authors
# SPDX-License-Identifier: LGPL-2.1-or-later
# Opus sealed, payloaded, depayloaded, opened and shown. Usage: opus.sh KEYFILE ("sotto keys new KEYFILE").
# `sink` and `frames` may be set in the environment.
set -eu
exec gst-launch-1.0 audiotestsrc samplesperbuffer=960 num-buffers="${frames:-300}" ! \
  audio/x-raw,rate=48000,channels=1 ! opusenc ! \
  e2ee-encrypt key-file="$1" ! rtpopuspay ! rtpopusdepay ! e2ee-decrypt key-file="$1" ! \
  opusdec ! audioconvert ! ${sink:-autoaudiosink}
