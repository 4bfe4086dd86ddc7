// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// The built-in camera's picture and tone, ready as RTP frames.
#pragma once

#include "core/base/error.h"
#include "core/rtc/frame.h"
#include "pipelines/camera/stream_info.h"

#include <chrono>
#include <memory>
#include <vector>

namespace sotto::camera {

struct DemoStream {
  StreamInfo info;
  std::vector<rtc::FramePtr> frames;
  std::chrono::nanoseconds interval{};  ///< From frame to frame.
};

struct DemoClip {
  DemoStream video;  ///< VP8, which every browser takes untouched.
  DemoStream audio;  ///< Opus.
};

/// Encoded at the first call (about a second of one core), then kept: watching it later costs
/// next to nothing. Blocks; thread safe.
Result<std::shared_ptr<const DemoClip>> demo_clip();

}  // namespace sotto::camera
