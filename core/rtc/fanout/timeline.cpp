// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/rtc/fanout/timeline.h"

#include "core/rtc/rtp/sequence.h"

#include <algorithm>
#include <cstdlib>

namespace sotto::rtc::fanout {
namespace {

// How far a source's clock may be off from its pts between two frames. Jitter and B-frames stay
// well below it; a clock that began anew is at a random place within hours.
constexpr std::int64_t kMaxSkewMs = 2000;

}  // namespace

std::uint32_t Timeline::map(std::uint64_t source, std::uint32_t source_time, MonotonicTime pts) {
  if (!started_) {
    started_ = true;
  } else {
    const std::int64_t step = rtp::distance(in_, source_time);
    // In microseconds, since nanoseconds times the rate would overflow after a day; rounded.
    const std::int64_t elapsed_us = ((pts - pts_).count() + 500) / 1000;
    const std::int64_t by_pts = (elapsed_us * clock_rate_ + 500'000) / 1'000'000;
    const std::int64_t max_skew = kMaxSkewMs * clock_rate_ / 1000;
    const bool agrees = source == source_ && std::abs(step - by_pts) <= max_skew;
    out_ += static_cast<std::uint32_t>(agrees ? step : std::max<std::int64_t>(by_pts, 1));
  }
  source_ = source;
  in_ = source_time;
  pts_ = pts;
  return out_;
}

}  // namespace sotto::rtc::fanout
