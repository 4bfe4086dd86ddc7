#!/bin/sh
# SPDX-FileCopyrightText: The sotto authors
# SPDX-License-Identifier: LGPL-2.1-or-later
# Keeps a sealed VP8 stream of a server where no key is. Usage: record.sh https://server:8443/whep/garden FILE.sotto TOKENFILE
set -eu
exec gst-launch-1.0 -e whep-src location="$1" auth-token-file="$3" ! rtpvp8depay ! \
  sealed-mux accept-unmarked=true ! filesink buffer-mode=unbuffered location="$2"
