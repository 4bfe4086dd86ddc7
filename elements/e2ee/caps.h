// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Caps of sealed streams. Compatible: the codec's caps with `e2ee=(string)sframe`, which stock
// payloaders take. Strict: `application/x-e2ee, original-media-type=…`, which nobody else takes.
#pragma once

#include "core/e2ee/codec.h"

#include <gst/gst.h>

#include <optional>

namespace sotto {

#define SOTTO_E2EE_CODEC_CAPS                                               \
  "video/x-vp8; video/x-vp9; "                                              \
  "video/x-h264, stream-format=(string)byte-stream, alignment=(string)au; " \
  "video/x-h265, stream-format=(string)byte-stream, alignment=(string)au; " \
  "video/x-av1, stream-format=(string)obu-stream, alignment=(string)tu; "   \
  "audio/x-opus"
#define SOTTO_E2EE_STRICT_CAPS                                                                 \
  "application/x-e2ee, original-media-type=(string){ video/x-vp8, video/x-vp9, video/x-h264, " \
  "video/x-h265, video/x-av1, audio/x-opus }"

enum class CapsMode { kCompatible = 0, kStrict = 1 };
/// As a property's type.
GType caps_mode_type();

/// The codec of open, marked or strict caps.
std::optional<e2ee::Codec> codec_of(const GstCaps* caps);
bool is_sealed(const GstStructure* caps);
/// Whether any of these caps, also of RTP whose description had the attribute `x-sotto-e2ee`, are
/// of a sealed stream: who builds a branch with a decoder, a parser or an encoder asks this first.
bool says_sealed(const GstCaps* caps);

/// What comes out when these (open) caps go in; structures that are sealed already are left out.
GstCaps* sealed_caps(const GstCaps* caps, CapsMode mode);
/// The open form of each structure, sealed or not.
GstCaps* opened_caps(const GstCaps* caps);

}  // namespace sotto
