// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// Whether pictures come in later and later: arrival against the camera's own clock.
//
// Queues in a camera, on the way or in us make a stream late without losing anything, and a
// jitter buffer takes slow growth for a clock that runs slow. So it is measured in front of that:
// the quickest picture of the newest window against the quickest of the first. A camera's clock is
// off by up to 50 ppm, which shows as 4 s a day and delays nothing: steeper growth is a queue.
#pragma once

#include "core/rtc/frame.h"
#include "core/rtc/rtp/sequence.h"

#include <cstdint>
#include <optional>

namespace sotto::camera {

/// Of one connection. Not thread safe.
class Drift {
 public:
  explicit Drift(unsigned clock_rate) : clock_rate_(clock_rate) {}

  /// A jump of the camera's clock begins anew.
  void add(std::uint32_t rtp_time, rtc::MonotonicTime arrival);
  /// Negative when pictures come sooner than at first. Zero until two windows of media are over.
  rtc::MonotonicTime growth() const { return growth_; }

 private:
  const std::int64_t clock_rate_;
  rtc::rtp::Unwrapper<std::uint32_t> times_;
  std::optional<std::int64_t> last_media_ns_;
  rtc::MonotonicTime last_arrival_{};
  std::int64_t window_end_ns_ = 0;             // In media.
  std::optional<std::int64_t> first_lowest_;   // Of the first whole window: lateness, ns.
  std::optional<std::int64_t> window_lowest_;  // Of the present window so far.
  rtc::MonotonicTime growth_{};
};

}  // namespace sotto::camera
