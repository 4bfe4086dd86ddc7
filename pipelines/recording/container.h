// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// Which kind of file holds which codecs, and what stands between RTP and its muxer.
#pragma once

#include "core/base/error.h"
#include "core/rtc/codec.h"

#include <string>
#include <vector>

namespace sotto::recording {

struct Container {
  std::string extension;  ///< ".webm" or ".mp4"
  std::string muxer;      ///< A gst-launch element with its properties.
};

/// VP8, VP9 and what comes with them go to WebM, everything else to fragmented MP4, which is whole
/// up to its last half second whatever happens to the process. kUnsupported for two pictures in
/// codecs that share no container.
Result<Container> container_for(const std::vector<rtc::Codec>& codecs);

/// From RTP to what both muxers take: parameter sets in band, sound other than Opus made Opus.
/// kUnsupported for a codec we cannot take out of RTP.
Result<std::string> chain_for(const rtc::Codec& codec);

/// A packet's payload that sounds like nothing, and how long it lasts; empty for video.
struct Silence {
  std::vector<unsigned char> payload;
  int milliseconds = 20;
};
Silence silence_of(const rtc::Codec& codec);

}  // namespace sotto::recording
