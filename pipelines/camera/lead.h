// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// One unbroken line of frames into a Track, whoever supplies them at the moment.
//
// A camera that comes back has new timestamps; a transcode that takes over from the camera's own
// stream has others again; some cameras jump by themselves when their clock is set. Viewers keep
// their decoders only if none of this shows: time goes on at the pace of arrival.
#pragma once

#include "core/rtc/fanout/track.h"
#include "core/rtc/frame.h"

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>

namespace sotto::camera {

class Lead : public std::enable_shared_from_this<Lead> {
 public:
  explicit Lead(std::shared_ptr<rtc::Track> track);

  const std::shared_ptr<rtc::Track>& track() const { return track_; }

  /// Frames given to the returned receiver go to the track, until the next call of this.
  std::shared_ptr<rtc::FrameReceiver> new_supply();
  /// What the present supply still sends is dropped.
  void cut();

  std::uint64_t time_jumps() const { return jumps_; }
  /// From capture, as well as it is known, to the hand-over of the newest frame.
  rtc::MonotonicTime delay() const { return rtc::MonotonicTime(delay_.load()); }

 private:
  class Supply;
  void publish(unsigned epoch, const rtc::FramePtr& frame);
  std::uint32_t retime(const rtc::Frame& frame);

  const std::shared_ptr<rtc::Track> track_;
  const std::int64_t clock_rate_;
  std::atomic<std::uint64_t> jumps_{0};
  std::atomic<rtc::MonotonicTime::rep> delay_{0};

  std::mutex mutex_;  // Protects what follows; held while the track is fed, which never waits.
  unsigned epoch_ = 0;
  bool published_ = false;
  bool joined_ = false;          // The present supply has sent its first frame.
  std::uint32_t shift_ = 0;      // Added to the supply's RTP times.
  std::uint32_t last_time_ = 0;  // As published.
  rtc::MonotonicTime last_arrival_{};
};

}  // namespace sotto::camera
