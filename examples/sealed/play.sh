#!/bin/sh
# SPDX-FileCopyrightText: The sotto authors
# SPDX-License-Identifier: LGPL-2.1-or-later
# Plays the picture of a file that keep.sh or record.sh made. Usage: play.sh KEYFILE FILE.sotto
# `sink` may be set in the environment.
set -eu
exec gst-launch-1.0 filesrc location="$2" ! sealed-demux ! video/x-vp8 ! \
  e2ee-decrypt key-file="$1" ! vp8dec ! videoconvert ! ${sink:-autovideosink}
