// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// Promises of webrtcbin with C++ closures, and session descriptions as text.
#pragma once

#include "core/base/error.h"
#include "elements/glue/gst_ptr.h"

#include <gst/webrtc/webrtc.h>

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>

namespace sotto {

/// Calls back once, on webrtcbin's own thread, with the reply (null where the operation has none)
/// or the error. A promise that is dropped unanswered calls with kUnavailable. The action signal
/// takes a reference of its own. Never wait for another promise inside: it is answered by this
/// thread.
GstPtr<GstPromise> promise_calling(std::function<void(Result<const GstStructure*>)> reply);

/// Counts promises that webrtcbin still owes an answer. Stopping it while its thread builds
/// transports leaves those behind for good (1.22), so one waits for the count to be zero first.
class PendingPromises {
 public:
  void begin() {
    const std::lock_guard lock(mutex_);
    ++count_;
  }
  void end() {
    const std::lock_guard lock(mutex_);
    if (--count_ == 0) idle_.notify_all();
  }
  /// False when `limit` passed before.
  bool wait_idle(std::chrono::milliseconds limit) {
    std::unique_lock lock(mutex_);
    return idle_.wait_for(lock, limit, [this] { return count_ == 0; });
  }

 private:
  std::mutex mutex_;  // Protects count_.
  std::condition_variable idle_;
  int count_ = 0;
};

struct DescriptionDeleter {
  void operator()(GstWebRTCSessionDescription* d) const { gst_webrtc_session_description_free(d); }
};
using DescriptionPtr = std::unique_ptr<GstWebRTCSessionDescription, DescriptionDeleter>;

Result<DescriptionPtr> make_description(GstWebRTCSDPType type, const std::string& sdp);
std::string text_of(const GstWebRTCSessionDescription* description);

}  // namespace sotto
