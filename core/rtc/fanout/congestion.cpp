// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/rtc/fanout/congestion.h"

#include <algorithm>

namespace sotto::rtc {
namespace {

constexpr std::chrono::minutes kRoundTripWindow{1};

std::chrono::microseconds smaller(std::chrono::microseconds a, std::chrono::microseconds b) {
  return a.count() == 0 ? b : std::min(a, b);
}

}  // namespace

CongestionPolicy::Verdict CongestionPolicy::judge(const CongestionSample& sample) {
  bool queueing = false;
  if (sample.round_trip.count() > 0) {
    if (sample.time >= window_end_) {
      best_ = best_next_.count() == 0 ? best_ : best_next_;
      best_next_ = {};
      window_end_ = sample.time + kRoundTripWindow;
    }
    best_ = smaller(best_, sample.round_trip);
    best_next_ = smaller(best_next_, sample.round_trip);
    queueing = sample.round_trip - best_ >= limits_.queueing;
  }
  // Receiver reports count what was lost, transport-wide feedback may see it repaired in time:
  // either is a sign.
  double lost = sample.fraction_lost;
  bool waits = false;
  if (sample.line) {
    const LineReport& line = *sample.line;
    lost = std::max(lost, line.fraction_lost);
    waits = line.queue >= limits_.short_queue;
    queueing =
        queueing || line.queue >= limits_.queue || (waits && line.gradient >= limits_.growth);
  }
  if (lost >= limits_.bad_loss || queueing) return Verdict::kBad;
  return lost <= limits_.good_loss && !waits ? Verdict::kGood : Verdict::kNeutral;
}

void CongestionPolicy::step(Quality to, MonotonicTime now) {
  quality_ = to;
  settled_at_ = now + limits_.settling;
  bad_since_ = good_since_ = {};
}

Quality CongestionPolicy::update(const CongestionSample& sample) {
  if (sample.bitrate == 0 || sample.time < settled_at_) return quality_;
  const MonotonicTime now = sample.time;
  const Verdict verdict = judge(sample);
  if (verdict != Verdict::kBad) bad_since_ = {};
  if (verdict != Verdict::kGood) good_since_ = {};
  if (verdict == Verdict::kBad && bad_since_.count() == 0) bad_since_ = now;
  if (verdict == Verdict::kGood && good_since_.count() == 0) good_since_ = now;

  if (bad_since_.count() != 0 && now - bad_since_ >= limits_.patience &&
      quality_ != Quality::kKeyframesOnly) {
    // Down so soon after going up: the line is as thin as it was.
    if (stepped_up_at_.count() != 0 && now - stepped_up_at_ < recovery_) {
      recovery_ = std::min<MonotonicTime>(recovery_ * 2, limits_.recovery_max);
    }
    const bool small = quality_ == Quality::kFull && has_small_;
    step(small ? Quality::kSmall : Quality::kKeyframesOnly, now);
  } else if (good_since_.count() != 0 && now - good_since_ >= recovery_) {
    if (quality_ == Quality::kFull) {
      recovery_ = limits_.recovery;  // It went well for as long as it had failed: forgiven.
    } else {
      const bool small = quality_ == Quality::kKeyframesOnly && has_small_;
      step(small ? Quality::kSmall : Quality::kFull, now);
      stepped_up_at_ = now;
    }
  }
  return quality_;
}

Quality CongestionPolicy::set_has_small(bool has_small) {
  has_small_ = has_small;
  if (!has_small && quality_ == Quality::kSmall) quality_ = Quality::kFull;
  return quality_;
}

}  // namespace sotto::rtc
