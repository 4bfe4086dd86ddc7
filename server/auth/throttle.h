// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// The brake on guessing passwords.
#pragma once

#include <chrono>
#include <cstddef>
#include <map>
#include <string>

namespace sotto::server {

/// How failures turn into waiting.
struct ThrottlePolicy {
  std::size_t free_failures;     ///< That many cost nothing.
  std::chrono::seconds longest;  ///< The wait doubles from one second up to this.
};

/// Counts failures per key, in bounded memory. Times are passed in, so tests need not wait.
class Throttle {
 public:
  using Clock = std::chrono::steady_clock;
  explicit Throttle(ThrottlePolicy policy) : policy_(policy) {}

  /// How long `key` still has to wait; zero: it may try.
  std::chrono::seconds wait(const std::string& key, Clock::time_point now) const;
  void failed(const std::string& key, Clock::time_point now);
  void succeeded(const std::string& key) { entries_.erase(key); }
  std::size_t size() const { return entries_.size(); }

  /// More addresses than a botnet of one evening; the longest unseen is forgotten first.
  static constexpr std::size_t kMaxEntries = 10'000;
  static constexpr std::chrono::hours kForgetAfter{1};

 private:
  struct Entry {
    std::size_t failures = 0;
    Clock::time_point last;
    Clock::time_point until;
  };
  void make_room(Clock::time_point now);

  ThrottlePolicy policy_;
  std::map<std::string, Entry> entries_;
};

/// What counts as one guesser: an IPv4 address, or the /64 every IPv6 customer is given.
std::string throttle_key(const std::string& address);

}  // namespace sotto::server
