// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// Plays clips into one media pipeline at their own pace, over and over.
#pragma once

#include "elements/glue/gst_ptr.h"
#include "tests/support/rtsp_camera/clips.h"

#include <gst/app/gstappsrc.h>

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace sotto::test {

/// What a test may change while the camera plays.
struct FeederSwitches {
  std::atomic<bool> video{true};
  std::atomic<bool> audio{true};
};

class Feeder {
 public:
  explicit Feeder(std::shared_ptr<FeederSwitches> switches) : switches_(std::move(switches)) {}
  ~Feeder();
  Feeder(const Feeder&) = delete;
  Feeder& operator=(const Feeder&) = delete;

  /// Before the pipeline starts. `clip` outlives the feeder.
  void add(GstPtr<GstElement> appsrc, const Clip& clip);

 private:
  struct Lane {
    GstPtr<GstElement> appsrc;
    const Clip* clip;
    std::size_t next = 0;
    std::chrono::nanoseconds offset{};  ///< Of the present round.
  };

  void run();
  static void push(Lane& lane, GstClockTime start, bool wanted);

  std::shared_ptr<FeederSwitches> switches_;
  std::vector<Lane> lanes_;  ///< Fixed once the thread runs.
  std::once_flag started_;
  std::thread thread_;
  std::mutex mutex_;  ///< Protects stopping_.
  std::condition_variable wake_;
  bool stopping_ = false;
};

}  // namespace sotto::test
