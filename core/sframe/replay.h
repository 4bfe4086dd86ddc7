// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Which counters of one KID were seen: a sliding window, as RFC 9605 section 7.4 leaves to us.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace sotto::sframe {

/// A frame may come this many counters late: thirty seconds of sound in 20 ms frames would be 1500,
/// but no jitter buffer waits longer than a few seconds.
inline constexpr std::size_t kReplayWindow = 1024;

class ReplayWindow {
 public:
  /// False when `ctr` was accepted before or is older than the window reaches.
  bool is_fresh(std::uint64_t ctr) const;
  /// Marks a counter whose frame authenticated; one that did not must not move the window.
  void accept(std::uint64_t ctr);

 private:
  static constexpr std::size_t kWords = kReplayWindow / 64;
  bool any_ = false;
  std::uint64_t highest_ = 0;
  std::array<std::uint64_t, kWords> seen_{};  // Bit ctr mod 1024, for the last 1024 counters.
};

}  // namespace sotto::sframe
