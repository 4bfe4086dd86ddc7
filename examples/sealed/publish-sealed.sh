#!/bin/sh
# SPDX-FileCopyrightText: The sotto authors
# SPDX-License-Identifier: LGPL-2.1-or-later
# Publishes a sealed test picture. Usage: publish-sealed.sh https://server:8443/whip/garden KEYFILE TOKENFILE
# For a camera put v4l2src in the place of videotestsrc.
set -eu
exec gst-launch-1.0 videotestsrc is-live=true ! videoconvert ! vp8enc deadline=1 keyframe-max-dist=60 ! \
  e2ee-encrypt key-file="$2" ! whip-sink location="$1" auth-token-file="$3"
