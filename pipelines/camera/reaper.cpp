// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "pipelines/camera/reaper.h"

#include <condition_variable>
#include <mutex>
#include <thread>

namespace sotto::camera {
namespace {

struct Pending {
  std::mutex mutex;  // Protects count.
  std::condition_variable done;
  std::size_t count = 0;
};

// Never destroyed: a thread may still be on its way out of it when the process ends.
Pending& pending() {
  static auto* instance = new Pending;
  return *instance;
}

}  // namespace

void reap(GstPtr<GstElement> pipeline, std::function<void()> stopped) {
  if (!pipeline) {
    if (stopped) stopped();
    return;
  }
  {
    const std::lock_guard lock(pending().mutex);
    ++pending().count;
  }
  std::thread([pipeline = std::move(pipeline), stopped = std::move(stopped)]() mutable {
    gst_element_set_state(pipeline.get(), GST_STATE_NULL);
    if (auto bus = GstPtr<GstBus>::adopt(gst_element_get_bus(pipeline.get()))) {
      gst_bus_set_flushing(bus.get(), TRUE);
    }
    pipeline.reset();
    if (stopped) stopped();
    stopped = nullptr;
    const std::lock_guard lock(pending().mutex);
    --pending().count;
    pending().done.notify_all();
  }).detach();
}

bool wait_for_reaper(std::chrono::milliseconds bound) {
  std::unique_lock lock(pending().mutex);
  return pending().done.wait_for(lock, bound, [] { return pending().count == 0; });
}

}  // namespace sotto::camera
