// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// From one codec's RTP to another's, as text for gst-launch.
#pragma once

#include "core/rtc/codec.h"

#include <optional>
#include <string>
#include <string_view>

namespace sotto::camera {

/// Elements between RTP in and RTP out, and what comes out.
struct Recipe {
  std::string launch;
  rtc::Codec codec;
};

/// The same coded pictures in packets of at most kMaxPacketBytes. Nothing for codecs without a
/// packetiser (JPEG, and sound).
std::optional<Recipe> repacketise(const rtc::Codec& codec);

/// Decoded and encoded again. `to` is H264, VP8 or opus; nothing where we cannot decode `from`.
std::optional<Recipe> transcode(const rtc::Codec& from, std::string_view to);

}  // namespace sotto::camera
