// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/sframe/replay.h"

namespace sotto::sframe {
namespace {

std::size_t word_of(std::uint64_t ctr) {
  return static_cast<std::size_t>(ctr % kReplayWindow) / 64;
}
std::uint64_t bit_of(std::uint64_t ctr) { return 1ULL << (ctr % 64); }

}  // namespace

bool ReplayWindow::is_fresh(std::uint64_t ctr) const {
  if (!any_ || ctr > highest_) return true;
  if (highest_ - ctr >= kReplayWindow) return false;
  return (seen_[word_of(ctr)] & bit_of(ctr)) == 0;
}

void ReplayWindow::accept(std::uint64_t ctr) {
  if (!any_) {
    any_ = true;
    highest_ = ctr;
  } else if (ctr > highest_) {
    if (ctr - highest_ >= kReplayWindow) {
      seen_ = {};
    } else {
      for (auto skipped = highest_ + 1; skipped != ctr; ++skipped) {
        seen_[word_of(skipped)] &= ~bit_of(skipped);
      }
    }
    highest_ = ctr;
  }
  seen_[word_of(ctr)] |= bit_of(ctr);
}

}  // namespace sotto::sframe
