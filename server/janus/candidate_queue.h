// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// Trickled candidates that came before there is a peer connection to give them to.
#pragma once

#include "core/rtc/peer.h"

#include <chrono>
#include <cstddef>
#include <deque>
#include <utility>
#include <vector>

namespace sotto::server::janus {

class CandidateQueue {
 public:
  using Clock = std::chrono::steady_clock;
  /// A browser with many networks sends 20 to 60; what is beyond is dropped.
  static constexpr std::size_t kMaxCandidates = 128;

  void add(rtc::Candidate candidate, Clock::time_point now, std::chrono::seconds keep) {
    expire(now, keep);
    if (queue_.size() < kMaxCandidates) queue_.emplace_back(now, std::move(candidate));
  }

  /// What is still young enough, in order of arrival; the queue is empty then.
  std::vector<rtc::Candidate> take(Clock::time_point now, std::chrono::seconds keep) {
    expire(now, keep);
    std::vector<rtc::Candidate> taken;
    for (auto& [time, candidate] : queue_) taken.push_back(std::move(candidate));
    queue_.clear();
    return taken;
  }

  std::size_t size() const { return queue_.size(); }
  void clear() { queue_.clear(); }

 private:
  void expire(Clock::time_point now, std::chrono::seconds keep) {
    while (!queue_.empty() && now - queue_.front().first > keep) queue_.pop_front();
  }

  std::deque<std::pair<Clock::time_point, rtc::Candidate>> queue_;
};

}  // namespace sotto::server::janus
