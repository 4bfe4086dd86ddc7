// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// What can be seen of a camera's stream without decoding it, and what is wrong with it.
#pragma once

#include "core/base/bytes.h"
#include "core/rtc/frame.h"
#include "core/rtc/rtp/keyframe.h"

#include <cstddef>
#include <cstdint>

namespace sotto::camera {

/// The largest RTP packet we hand on: it fits a path with a 1280-byte MTU, tunnels included.
inline constexpr std::size_t kMaxPacketBytes = 1200;

/// What the NAL units of one frame are.
struct FrameContent {
  bool parameter_sets = false;  ///< SPS and PPS (and VPS) are in it.
  bool intra = false;           ///< IDR or another picture a decoder can start at.
  bool b_slice = false;         ///< H.264 only: H.265 encoders write B slices that look back only.
  std::size_t largest_packet = 0;
};

FrameContent look_into(const rtc::Frame& frame, rtc::rtp::Format format);

/// Sees from frame to frame that pictures come in another order than they are shown.
///
/// RTP carries them in decoding order with the time they are shown at, so with B-frames the
/// timestamp steps back, again and again, by less than a second.
class ReorderWatch {
 public:
  /// True once it is certain; stays true.
  bool saw_reordering(std::uint32_t rtp_time, bool b_slice, unsigned clock_rate);

 private:
  bool certain_ = false;
  bool started_ = false;
  bool b_slice_ = false;
  std::uint32_t newest_ = 0;
  unsigned frames_ = 0;  // Since the last step back.
  unsigned steps_back_ = 0;
};

}  // namespace sotto::camera
