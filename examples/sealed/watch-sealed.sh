#!/bin/sh
# SPDX-FileCopyrightText: The sotto authors
# SPDX-License-Identifier: LGPL-2.1-or-later
# Shows a sealed VP8 stream of a server. Usage: watch-sealed.sh https://server:8443/whep/garden KEYFILE TOKENFILE
set -eu
exec gst-launch-1.0 whep-src location="$1" auth-token-file="$3" ! rtpvp8depay ! \
  e2ee-decrypt key-file="$2" ! vp8dec ! videoconvert ! ${sink:-autovideosink}
