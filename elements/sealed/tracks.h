// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Caps of sealed streams as tracks of a file, and back.
#pragma once

#include "core/container/format.h"
#include "elements/e2ee/caps.h"

#include <gst/gst.h>

#include <optional>

namespace sotto {

#define SOTTO_SEALED_FILE_CAPS "application/x-sotto"
#define SOTTO_SEALED_CAPS                                                                        \
  "video/x-vp8, e2ee=(string)sframe; video/x-vp9, e2ee=(string)sframe; "                         \
  "video/x-h264, stream-format=(string)byte-stream, alignment=(string)au, e2ee=(string)sframe; " \
  "video/x-h265, stream-format=(string)byte-stream, alignment=(string)au, e2ee=(string)sframe; " \
  "video/x-av1, stream-format=(string)obu-stream, alignment=(string)tu, e2ee=(string)sframe; "   \
  "audio/x-opus, e2ee=(string)sframe"

/// Nothing for caps of no codec of ours.
std::optional<container::Track> track_of(const GstCaps* caps);
/// Marked as sealed.
GstCaps* caps_of(const container::Track& track, CapsMode mode);

}  // namespace sotto
