// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "pipelines/camera/lead.h"

#include "core/rtc/rtp/sequence.h"
#include "pipelines/camera/frame_copy.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

namespace sotto::camera {
namespace {

using namespace std::chrono_literals;

// RTP time and arrival may differ by this much before it is called a jump: cameras send bursts,
// and Wi-Fi holds packets back for a second.
constexpr std::chrono::nanoseconds kJump = 2s;

}  // namespace

class Lead::Supply final : public rtc::FrameReceiver {
 public:
  Supply(std::shared_ptr<Lead> lead, unsigned epoch) : lead_(std::move(lead)), epoch_(epoch) {}
  void on_frame(rtc::FramePtr frame) override { lead_->publish(epoch_, frame); }

 private:
  const std::shared_ptr<Lead> lead_;
  const unsigned epoch_;
};

Lead::Lead(std::shared_ptr<rtc::Track> track)
    : track_(std::move(track)), clock_rate_(track_->codec().clock_rate) {}

std::shared_ptr<rtc::FrameReceiver> Lead::new_supply() {
  const std::lock_guard lock(mutex_);
  joined_ = false;
  return std::make_shared<Supply>(shared_from_this(), ++epoch_);
}

void Lead::cut() {
  const std::lock_guard lock(mutex_);
  ++epoch_;
}

void Lead::publish(unsigned epoch, const rtc::FramePtr& frame) {
  const std::lock_guard lock(mutex_);
  if (epoch != epoch_) return;
  auto out = copy_of(frame);
  out->after_gap = frame->after_gap || (published_ && !joined_);
  out->rtp_time = retime(*frame);
  published_ = joined_ = true;
  delay_ = (rtc::monotonic_now() - frame->pts).count();
  track_->on_frame(std::move(out));
}

std::uint32_t Lead::retime(const rtc::Frame& frame) {
  // Steps are measured by arrival: pts itself follows a jump of the camera's clock for a while.
  const auto since = frame.arrival - last_arrival_;
  const auto ticks = [&](std::chrono::nanoseconds span) {
    return span.count() / 1'000'000 * clock_rate_ / 1000;
  };
  std::uint32_t time = frame.rtp_time + shift_;
  if (published_) {
    const auto step = rtc::rtp::distance(last_time_, time);
    const bool jumped = std::abs(step - ticks(since)) > ticks(kJump);
    if (!joined_ || jumped) {
      // At least one tick on, so that two frames are never one.
      time = last_time_ + static_cast<std::uint32_t>(std::max<std::int64_t>(1, ticks(since)));
      shift_ = time - frame.rtp_time;
      if (joined_) ++jumps_;
    }
  }
  last_time_ = time;
  last_arrival_ = frame.arrival;
  return time;
}

}  // namespace sotto::camera
