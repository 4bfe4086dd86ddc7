// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "pipelines/camera/backoff.h"

#include "core/base/random.h"

#include <algorithm>

namespace sotto::camera {
namespace {

// A camera needs 20 to 40 s to boot.
constexpr std::chrono::milliseconds kQuickPhase{30'000};

}  // namespace

Backoff::Backoff(const Patience& patience, std::function<std::uint32_t()> random)
    : patience_(patience), random_(random ? std::move(random) : random_u32) {}

std::chrono::milliseconds Backoff::next() {
  const auto longest = waited_ < kQuickPhase ? patience_.quick_retry : patience_.slowest_retry;
  pause_ = pause_.count() == 0 ? patience_.first_retry : std::min(pause_ * 2, longest);
  ++attempts_;
  // 80 % to 120 %.
  const auto spread = pause_ * (80 + static_cast<int>(random_() % 41)) / 100;
  const auto pause = std::min(spread, patience_.slowest_retry);
  waited_ += pause;
  return pause;
}

void Backoff::be_slow() {
  waited_ = std::max(waited_, kQuickPhase);
  pause_ = std::max(pause_, patience_.slowest_retry / 2);
}

void Backoff::reset() {
  attempts_ = 0;
  waited_ = {};
  pause_ = {};
}

}  // namespace sotto::camera
