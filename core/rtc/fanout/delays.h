// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// Percentiles of delays in constant space and time.
#pragma once

#include "core/rtc/frame.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace sotto::rtc::fanout {

/// A histogram of microseconds with eight steps per octave: a percentile is at most an eighth too
/// high. The past fades: after kWindow values all counts are halved.
class Delays {
 public:
  void add(MonotonicTime delay) {
    const auto micros = std::clamp<std::int64_t>(delay.count() / 1000, 0, kMaxMicros);
    ++counts_[bucket(static_cast<std::uint32_t>(micros))];
    if (++total_ >= kWindow) fade();
  }

  /// Upper edge of the bucket that holds the given share (0 to 1) of the values; 0 without values.
  MonotonicTime percentile(double share) const {
    if (total_ == 0) return {};
    const double wanted = share * static_cast<double>(total_);
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < counts_.size(); ++i) {
      seen += counts_[i];
      if (seen > 0 && static_cast<double>(seen) >= wanted) {
        return std::chrono::microseconds(upper_edge(i));
      }
    }
    return std::chrono::microseconds(kMaxMicros);
  }

 private:
  static constexpr std::uint32_t kWindow = 4096;
  static constexpr std::int64_t kMaxMicros = (std::int64_t{1} << 27) - 1;  // Two minutes.
  static constexpr std::size_t kSteps = 8;

  static std::size_t bucket(std::uint32_t micros) {
    if (micros < kSteps) return micros;
    const auto octave = static_cast<std::size_t>(std::bit_width(micros)) - 4;  // 8 to 15: 0.
    return (octave + 1) * kSteps + ((micros >> octave) & (kSteps - 1));
  }
  static std::uint32_t upper_edge(std::size_t index) {
    if (index < kSteps) return static_cast<std::uint32_t>(index);
    const std::size_t octave = index / kSteps - 1;
    return static_cast<std::uint32_t>(((kSteps + index % kSteps + 1) << octave) - 1);
  }
  void fade() {
    total_ = 0;
    for (auto& count : counts_) {
      count /= 2;
      total_ += count;
    }
  }

  std::array<std::uint32_t, 25 * kSteps> counts_{};
  std::uint32_t total_ = 0;
};

}  // namespace sotto::rtc::fanout
