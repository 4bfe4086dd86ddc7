// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "pipelines/camera/drift.h"

#include <algorithm>
#include <cstdlib>

namespace sotto::camera {
namespace {

using namespace std::chrono_literals;
using rtc::MonotonicTime;

constexpr MonotonicTime kWindow = 5s;  // Of media: longer than a burst after a hiccup.
constexpr MonotonicTime kJump = 2s;    // As in Lead: beyond it the clock was set.
constexpr std::int64_t kSecond = 1'000'000'000;

}  // namespace

void Drift::add(std::uint32_t rtp_time, MonotonicTime arrival) {
  const std::int64_t ticks = times_.unwrap(rtp_time);
  // Whole seconds apart, so that weeks fit.
  const std::int64_t media =
      ticks / clock_rate_ * kSecond + ticks % clock_rate_ * kSecond / clock_rate_;
  const std::int64_t late = arrival.count() - media;
  const bool first = !last_media_ns_;
  const bool jumped = !first && std::abs((media - *last_media_ns_) -
                                         (arrival - last_arrival_).count()) > kJump.count();
  last_media_ns_ = media;
  last_arrival_ = arrival;
  if (first || jumped) {
    first_lowest_.reset();
    window_lowest_.reset();
    growth_ = {};
    window_end_ns_ = media + kWindow.count();
  }
  if (media >= window_end_ns_ && window_lowest_) {
    if (!first_lowest_) first_lowest_ = window_lowest_;
    growth_ = MonotonicTime(*window_lowest_ - *first_lowest_);
    window_lowest_.reset();
    window_end_ns_ = media + kWindow.count();
  }
  window_lowest_ = std::min(window_lowest_.value_or(late), late);
}

}  // namespace sotto::camera
