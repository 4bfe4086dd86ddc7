// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "pipelines/fanout/frame_tap.h"

#include <gst/video/video.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <utility>

namespace sotto {

struct FrameTap::State {
  State(const rtc::Codec& codec, std::shared_ptr<rtc::FrameReceiver> to)
      : receiver(std::move(to)), assembler(codec) {
    gst_segment_init(&segment, GST_FORMAT_TIME);
  }

  const std::shared_ptr<rtc::FrameReceiver> receiver;

  // Belong to the streaming thread.
  rtc::rtp::FrameAssembler assembler;
  GstSegment segment;
  rtc::MonotonicTime last_pts{};
  GstClockTime base = 0;  // Of the probed pad's element.

  mutable std::mutex mutex;  // Protects what follows; never held while calling the receiver.
  std::condition_variable idle;
  bool closed = false;
  int busy = 0;
  rtc::rtp::AssemblerStats stats;  // Copied after each buffer or list.

  bool enter() {
    const std::lock_guard lock(mutex);
    if (closed) return false;
    ++busy;
    return true;
  }
  void leave() {
    const std::lock_guard lock(mutex);
    stats = assembler.stats();
    --busy;
    if (closed) idle.notify_all();
  }
  void take(GstBuffer* buffer, rtc::MonotonicTime now);
  void take(GstBufferList* list);
  void take(GstEvent* event);

  static GstFlowReturn on_chain(GstPad* pad, GstObject* parent, GstBuffer* buffer);
  static GstFlowReturn on_chain_list(GstPad* pad, GstObject* parent, GstBufferList* list);
  static gboolean on_event(GstPad* pad, GstObject* parent, GstEvent* event);
  static gboolean on_query(GstPad* pad, GstObject* parent, GstQuery* query);
  static GstPadProbeReturn on_probe(GstPad* pad, GstPadProbeInfo* info, gpointer held);
  static void drop(gpointer held) { delete static_cast<std::shared_ptr<State>*>(held); }
};

void FrameTap::State::take(GstBuffer* buffer, rtc::MonotonicTime now) {
  // A buffer without a time belongs to the packet before it, as payloaders and jitter buffers may
  // stamp only a frame's first.
  if (GST_BUFFER_PTS_IS_VALID(buffer) && segment.format == GST_FORMAT_TIME) {
    const guint64 running =
        gst_segment_to_running_time(&segment, GST_FORMAT_TIME, GST_BUFFER_PTS(buffer));
    if (running != GST_CLOCK_TIME_NONE) {
      last_pts = rtc::MonotonicTime(static_cast<std::int64_t>(running + base));
    }
  }
  if (last_pts.count() == 0) last_pts = now;
  GstMapInfo map;
  if (gst_buffer_map(buffer, &map, GST_MAP_READ) == FALSE) return;
  assembler.push({map.data, map.size}, std::min(last_pts, now), now, *receiver);
  gst_buffer_unmap(buffer, &map);
}

void FrameTap::State::take(GstBufferList* list) {
  const auto now = rtc::monotonic_now();
  for (guint i = 0; i < gst_buffer_list_length(list); ++i) take(gst_buffer_list_get(list, i), now);
}

void FrameTap::State::take(GstEvent* event) {
  switch (GST_EVENT_TYPE(event)) {
    case GST_EVENT_SEGMENT: gst_event_copy_segment(event, &segment); break;
    case GST_EVENT_FLUSH_STOP: gst_segment_init(&segment, GST_FORMAT_TIME); break;
    default: break;
  }
}

GstFlowReturn FrameTap::State::on_chain(GstPad* pad, GstObject* parent, GstBuffer* buffer) {
  (void)parent;
  auto* state = static_cast<State*>(gst_pad_get_element_private(pad));
  const auto owned = GstPtr<GstBuffer>::adopt(buffer);
  if (!state->enter()) return GST_FLOW_FLUSHING;
  state->take(buffer, rtc::monotonic_now());
  state->leave();
  return GST_FLOW_OK;
}

GstFlowReturn FrameTap::State::on_chain_list(GstPad* pad, GstObject* parent, GstBufferList* list) {
  (void)parent;
  auto* state = static_cast<State*>(gst_pad_get_element_private(pad));
  const auto owned = GstPtr<GstBufferList>::adopt(list);
  if (!state->enter()) return GST_FLOW_FLUSHING;
  state->take(list);
  state->leave();
  return GST_FLOW_OK;
}

gboolean FrameTap::State::on_event(GstPad* pad, GstObject* parent, GstEvent* event) {
  (void)parent;
  auto* state = static_cast<State*>(gst_pad_get_element_private(pad));
  const auto owned = GstPtr<GstEvent>::adopt(event);
  if (state->enter()) {
    state->take(event);
    state->leave();
  }
  return TRUE;
}

gboolean FrameTap::State::on_query(GstPad* pad, GstObject* parent, GstQuery* query) {
  if (GST_QUERY_TYPE(query) == GST_QUERY_CAPS) {
    const auto caps = GstPtr<GstCaps>::adopt(gst_caps_new_empty_simple("application/x-rtp"));
    gst_query_set_caps_result(query, caps.get());
    return TRUE;
  }
  if (GST_QUERY_TYPE(query) == GST_QUERY_ACCEPT_CAPS) {
    gst_query_set_accept_caps_result(query, TRUE);
    return TRUE;
  }
  return gst_pad_query_default(pad, parent, query);
}

GstPadProbeReturn FrameTap::State::on_probe(GstPad* pad, GstPadProbeInfo* info, gpointer held) {
  State* state = static_cast<std::shared_ptr<State>*>(held)->get();
  if (!state->enter()) return GST_PAD_PROBE_OK;
  if (const auto element = GstPtr<GstElement>::adopt(gst_pad_get_parent_element(pad))) {
    state->base = gst_element_get_base_time(element.get());
  }
  if ((info->type & GST_PAD_PROBE_TYPE_BUFFER) != 0) {
    state->take(GST_PAD_PROBE_INFO_BUFFER(info), rtc::monotonic_now());
  } else if ((info->type & GST_PAD_PROBE_TYPE_BUFFER_LIST) != 0) {
    state->take(GST_PAD_PROBE_INFO_BUFFER_LIST(info));
  } else {
    state->take(GST_PAD_PROBE_INFO_EVENT(info));
  }
  state->leave();
  return GST_PAD_PROBE_OK;
}

FrameTap::FrameTap(const rtc::Codec& codec, std::shared_ptr<rtc::FrameReceiver> receiver)
    : state_(std::make_shared<State>(codec, std::move(receiver))) {}

FrameTap::~FrameTap() { close(); }

bool FrameTap::link(GstPad* src_pad) {
  if (pad_) return false;
  own_pad_ = true;
  pad_ = GstPtr<GstPad>::sink(gst_pad_new("tap", GST_PAD_SINK));
  GstPad* pad = pad_.get();
  gst_pad_set_element_private(pad, state_.get());
  g_object_set_data_full(G_OBJECT(pad), "sotto-state", new std::shared_ptr<State>(state_),
                         State::drop);
  gst_pad_set_chain_function(pad, State::on_chain);
  gst_pad_set_chain_list_function(pad, State::on_chain_list);
  gst_pad_set_event_function(pad, State::on_event);
  gst_pad_set_query_function(pad, State::on_query);
  gst_pad_set_active(pad, TRUE);
  return gst_pad_link(src_pad, pad) == GST_PAD_LINK_OK;
}

bool FrameTap::probe(GstPad* pad) {
  if (pad_ || pad == nullptr) return false;
  pad_ = GstPtr<GstPad>::ref(pad);
  if (GstEvent* event = gst_pad_get_sticky_event(pad, GST_EVENT_SEGMENT, 0)) {
    gst_event_copy_segment(event, &state_->segment);
    gst_event_unref(event);
  }
  constexpr auto kWhat = static_cast<GstPadProbeType>(
      GST_PAD_PROBE_TYPE_BUFFER | GST_PAD_PROBE_TYPE_BUFFER_LIST |
      GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM | GST_PAD_PROBE_TYPE_EVENT_FLUSH);
  probe_ = gst_pad_add_probe(pad, kWhat, State::on_probe, new std::shared_ptr<State>(state_),
                             State::drop);
  return probe_ != 0;
}

bool FrameTap::probe(GstElement* sink) {
  const auto pad = GstPtr<GstPad>::adopt(gst_element_get_static_pad(sink, "sink"));
  return probe(pad.get());
}

void FrameTap::close() {
  {
    const std::lock_guard lock(state_->mutex);
    if (std::exchange(state_->closed, true)) return;
  }
  if (!pad_) return;
  if (probe_ != 0) gst_pad_remove_probe(pad_.get(), probe_);
  if (own_pad_) gst_pad_set_active(pad_.get(), FALSE);
  {
    std::unique_lock lock(state_->mutex);
    state_->idle.wait(lock, [this] { return state_->busy == 0; });
  }
  if (!own_pad_) return;
  if (const auto peer = GstPtr<GstPad>::adopt(gst_pad_get_peer(pad_.get()))) {
    gst_pad_unlink(peer.get(), pad_.get());
  }
}

void FrameTap::request_keyframe() {
  if (!pad_) return;
  GstEvent* event = gst_video_event_new_upstream_force_key_unit(GST_CLOCK_TIME_NONE, TRUE, 0);
  // On the pad, never by gst_element_send_event: that takes the element's state lock.
  gst_pad_push_event(pad_.get(), event);
}

rtc::rtp::AssemblerStats FrameTap::stats() const {
  const std::lock_guard lock(state_->mutex);
  return state_->stats;
}

}  // namespace sotto
