// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// A viewer's RTP timestamps: one line that never breaks, whatever becomes of the source's.
#pragma once

#include "core/rtc/frame.h"

#include <cstdint>

namespace sotto::rtc::fanout {

class Timeline {
 public:
  /// `first` is what the first frame's timestamp becomes: drawn at random (RFC 3550, 5.1).
  Timeline(unsigned clock_rate, std::uint32_t first) : clock_rate_(clock_rate), out_(first) {}

  /// The viewer's timestamp of a frame. Steps are the source's own as long as they agree with its
  /// pts. Where `source` (its SSRC and track) changes, or its clock jumps, the step is that of pts,
  /// and one tick at least.
  std::uint32_t map(std::uint64_t source, std::uint32_t source_time, MonotonicTime pts);

 private:
  unsigned clock_rate_;
  bool started_ = false;
  std::uint64_t source_ = 0;
  std::uint32_t in_ = 0;
  std::uint32_t out_;
  MonotonicTime pts_{};
};

}  // namespace sotto::rtc::fanout
