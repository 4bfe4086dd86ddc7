// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// A track, a source that feeds it, and what its tests ask of both.
#pragma once

#include "core/rtc/fanout/track.h"
#include "tests/core/rtc/fanout/stage.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

namespace sotto::rtc::testing {

using namespace std::chrono_literals;

inline const Codec kVp8{MediaKind::kVideo, "VP8", 96, 90000, 1, {}};
inline const Codec kOpus{MediaKind::kAudio, "opus", 111, 48000, 2, {}};
using Numbers = std::vector<int>;

class TrackTest : public ::testing::Test {
 protected:
  std::shared_ptr<Viewer> viewer() { return std::make_shared<Viewer>(bell_); }
  /// A track whose requests are counted.
  std::shared_ptr<Track> asked_track(TrackLimits limits = {}) {
    auto track = Track::create(kVp8, limits);
    track->set_keyframe_requester([this] {
      ++requests_;
      bell_.ring();
    });
    return track;
  }
  bool wait_for_requests(int count) {
    return bell_.wait([&] { return requests_ >= count; });
  }
  /// For what rings no bell.
  static bool eventually(const std::function<bool()>& condition) {
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    while (!condition()) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      std::this_thread::yield();
    }
    return true;
  }
  /// The subscription's worker has sent or withheld this many frames.
  bool wait_for_handled(const Subscription& subscription, std::uint64_t frames) {
    return eventually([&] {
      const auto stats = subscription.stats();
      return stats.frames + stats.dropped_frames >= frames;
    });
  }

  Bell bell_;
  Source source_;
  std::atomic<int> requests_{0};
};

}  // namespace sotto::rtc::testing
