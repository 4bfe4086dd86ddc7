// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tests/support/rtsp_camera/feeder.h"

#include <algorithm>

namespace sotto::test {
namespace {

// More than this is not taken while the pipeline is paused between two viewers.
constexpr guint64 kMaxQueuedBuffers = 64;

std::chrono::nanoseconds due_in_clip(const Clip& clip, std::size_t index) {
  return std::chrono::nanoseconds(GST_BUFFER_DTS_OR_PTS(clip.buffers[index].get()));
}

}  // namespace

Feeder::~Feeder() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
  for (Lane& lane : lanes_) {
    g_signal_handlers_disconnect_by_data(lane.appsrc.get(), this);
  }
}

void Feeder::add(GstPtr<GstElement> appsrc, const Clip& clip) {
  g_object_set(appsrc.get(), "is-live", TRUE, "format", GST_FORMAT_TIME, "max-buffers",
               kMaxQueuedBuffers, "max-bytes", guint64{0}, "leaky-type",
               GST_APP_LEAKY_TYPE_DOWNSTREAM, "caps", clip.caps.get(), nullptr);
  // A live source asks for data once its pipeline plays: only then is there a running time.
  const auto on_need_data = +[](GstElement*, guint, gpointer self) {
    auto* feeder = static_cast<Feeder*>(self);
    std::call_once(feeder->started_,
                   [feeder] { feeder->thread_ = std::thread([feeder] { feeder->run(); }); });
  };
  g_signal_connect(appsrc.get(), "need-data", G_CALLBACK(on_need_data), this);
  lanes_.push_back({std::move(appsrc), &clip});
}

void Feeder::run() {
  auto clock = GstPtr<GstClock>::adopt(gst_element_get_clock(lanes_.front().appsrc.get()));
  if (!clock) return;
  const GstClockTime start = gst_clock_get_time(clock.get());
  const auto began = std::chrono::steady_clock::now();
  const auto due = [](const Lane& lane) {
    return lane.offset + due_in_clip(*lane.clip, lane.next);
  };
  for (;;) {
    Lane& lane = *std::min_element(lanes_.begin(), lanes_.end(),
                                   [&](const Lane& a, const Lane& b) { return due(a) < due(b); });
    {
      std::unique_lock lock(mutex_);
      if (wake_.wait_until(lock, began + due(lane), [&] { return stopping_; })) return;
    }
    push(lane, start, lane.clip->video ? switches_->video : switches_->audio);
  }
}

void Feeder::push(Lane& lane, GstClockTime start, bool wanted) {
  // The server moves the base time when it pauses a pipeline between describing and playing it.
  const GstClockTime base = gst_element_get_base_time(lane.appsrc.get());
  const bool playing = base != 0 && GST_CLOCK_TIME_IS_VALID(base);
  if (wanted && playing) {
    GstBuffer* buffer = gst_buffer_copy(lane.clip->buffers[lane.next].get());
    const GstClockTime now = start + static_cast<GstClockTime>(lane.offset.count());
    const GstClockTime shift = now > base ? now - base : 0;
    GST_BUFFER_PTS(buffer) += shift;
    if (GST_BUFFER_DTS_IS_VALID(buffer)) GST_BUFFER_DTS(buffer) += shift;
    gst_app_src_push_buffer(GST_APP_SRC(lane.appsrc.get()), buffer);
  }
  if (++lane.next == lane.clip->buffers.size()) {
    lane.next = 0;
    lane.offset += lane.clip->duration;
  }
}

}  // namespace sotto::test
