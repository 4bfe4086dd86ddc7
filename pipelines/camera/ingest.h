// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// Where one stream of one connection comes in: watched, mended, remembered since its last
// keyframe, and handed to whoever needs it.
//
//   session ──► Ingest ──┬──► PassThrough ──► Track
//                │       └──► RtpConverter ──► another Track
//                └► ring: a receiver added later starts with a picture at once
#pragma once

#include "core/rtc/frame.h"
#include "pipelines/camera/drift.h"
#include "pipelines/camera/inspect.h"
#include "pipelines/camera/stream_info.h"

#include <atomic>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

namespace sotto::camera {

/// What was found out about a stream since its connection.
struct Findings {
  bool flowing = false;            ///< A frame a decoder can start at has come.
  bool reordered = false;          ///< B-frames.
  bool no_parameter_sets = false;  ///< Neither in the description nor in the stream.
};

class Ingest final : public rtc::FrameReceiver {
 public:
  /// `changed` is called on the streaming thread at each new finding.
  Ingest(StreamInfo stream, std::function<void()> changed);

  const StreamInfo& stream() const { return stream_; }
  Findings findings() const;
  /// Arrival of the newest frame, or of the connection's beginning before the first.
  rtc::MonotonicTime last_frame() const { return rtc::MonotonicTime(last_frame_.load()); }
  std::uint64_t frames() const { return frames_; }
  /// Arrival of the first frame of the connection; zero before it.
  rtc::MonotonicTime first_frame() const { return rtc::MonotonicTime(first_frame_.load()); }
  /// How much later than at first frames come in by the camera's own clock: see drift.h.
  rtc::MonotonicTime drift() const;

  /// Frames go to `receiver` from now on, first those since the last keyframe. Thread safe.
  void add(std::shared_ptr<rtc::FrameReceiver> receiver);
  /// The receiver is not called any more once this returned. Not to be called from a receiver.
  void remove(const std::shared_ptr<rtc::FrameReceiver>& receiver);

  void on_frame(rtc::FramePtr frame) override;

 private:
  rtc::FramePtr with_parameter_sets(rtc::FramePtr frame) const;
  bool inspect(const rtc::Frame& frame, const FrameContent& content);
  void remember(const rtc::FramePtr& frame);

  const StreamInfo stream_;
  const rtc::rtp::Format format_;
  const std::function<void()> changed_;
  std::atomic<rtc::MonotonicTime::rep> last_frame_;
  std::atomic<rtc::MonotonicTime::rep> first_frame_{0};
  std::atomic<std::uint64_t> frames_{0};

  // Protects what follows; held while receivers are called, so that a late one gets every frame
  // once and in order.
  mutable std::mutex mutex_;
  std::vector<std::shared_ptr<rtc::FrameReceiver>> receivers_;
  std::deque<rtc::FramePtr> ring_;
  std::size_t ring_bytes_ = 0;
  bool ring_whole_ = false;  // It begins with a keyframe and lacks nothing since.
  bool started_ = false;     // A keyframe has come.
  Findings findings_;
  ReorderWatch reorder_;
  Drift drift_;
  bool seen_parameter_sets_ = false;
  unsigned bare_keyframes_ = 0;
};

}  // namespace sotto::camera
