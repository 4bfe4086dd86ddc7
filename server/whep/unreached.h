// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// Viewers whom a direct publisher answered and did not reach: the next time they are relayed.
#pragma once

#include <chrono>
#include <cstddef>
#include <map>
#include <string>
#include <tuple>

namespace sotto::server {

class Unreached {
 public:
  using Clock = std::chrono::steady_clock;
  /// Networks change: after this a viewer may try again.
  static constexpr std::chrono::minutes kKept{10};
  /// The oldest is forgotten for a newer one.
  static constexpr std::size_t kMax = 4096;

  /// Viewers of one address under one name share a network, and so its fate.
  struct Viewer {
    std::string mount;
    std::string subject;
    std::string address;
    bool operator<(const Viewer& other) const {
      return std::tie(mount, subject, address) <
             std::tie(other.mount, other.subject, other.address);
    }
  };

  void remember(const Viewer& viewer, Clock::time_point now) {
    if (viewers_.size() >= kMax && viewers_.count(viewer) == 0) {
      auto oldest = viewers_.begin();
      for (auto at = viewers_.begin(); at != viewers_.end(); ++at) {
        if (at->second < oldest->second) oldest = at;
      }
      viewers_.erase(oldest);
    }
    viewers_[viewer] = now;
  }
  bool knows(const Viewer& viewer, Clock::time_point now) {
    const auto found = viewers_.find(viewer);
    if (found == viewers_.end()) return false;
    if (now - found->second < kKept) return true;
    viewers_.erase(found);
    return false;
  }
  std::size_t size() const { return viewers_.size(); }

 private:
  std::map<Viewer, Clock::time_point> viewers_;
};

}  // namespace sotto::server
