// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// What one RTP payload says about the frame it belongs to, without decoding it.
//
// VP8: RFC 7741, 4.2. VP9: RFC 9628, 4.2. H.264: RFC 6184, 5.2. H.265: RFC 7798, 4.4.
// AV1: the AOM's "RTP Payload Format For AV1", 4.4.
#pragma once

#include "core/base/bytes.h"

#include <cstdint>
#include <string_view>

namespace sotto::rtc::rtp {

/// The payload formats we can look into.
enum class Format { kOpaque, kAudio, kVp8, kVp9, kH264, kH265, kAv1 };

/// By the registered name of an SDP codec; kOpaque for one we do not know.
Format video_format(std::string_view codec_name);

struct PayloadInfo {
  bool keyframe = false;  ///< Belongs to a frame at which a decoder can start.
  std::uint8_t spatial_layer = 0;
  std::uint8_t temporal_layer = 0;
};

/// Looks at one packet's payload; a malformed one is no keyframe. For H.264 and H.265 a parameter
/// set counts as the start as well: it precedes the picture in the same frame. Of a fragmented
/// NAL unit only the first piece counts, so that a picture whose beginning was lost is no keyframe.
/// Sound always is one, and so is an opaque payload: nothing is withheld that we cannot judge.
PayloadInfo inspect(Format format, ByteView payload);

}  // namespace sotto::rtc::rtp
