// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// Numbers that wrap around: RTP sequence numbers (16 bits) and timestamps (32 bits).
#pragma once

#include <cstdint>
#include <type_traits>

namespace sotto::rtc::rtp {

/// How far `b` is ahead of `a`, the short way round; negative when it is behind.
template <class Unsigned>
constexpr std::make_signed_t<Unsigned> distance(Unsigned a, Unsigned b) {
  return static_cast<std::make_signed_t<Unsigned>>(static_cast<Unsigned>(b - a));
}

/// True when `a` comes after `b` (RFC 1982: the half of the circle ahead).
template <class Unsigned>
constexpr bool newer(Unsigned a, Unsigned b) {
  return distance(b, a) > 0;
}

/// Turns wrapping numbers into a line without end. The first number keeps its value.
template <class Unsigned>
class Unwrapper {
 public:
  std::int64_t unwrap(Unsigned value) {
    if (!started_) {
      started_ = true;
      last_ = value;
    } else {
      last_ += distance(static_cast<Unsigned>(last_), value);
    }
    return last_;
  }
  void reset() { started_ = false; }

 private:
  bool started_ = false;
  std::int64_t last_ = 0;
};

}  // namespace sotto::rtc::rtp
