// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// What may lie between a sender of sealed frames and a receiver: a network that loses, repeats and
// disorders packets, and a relay that sends old frames again as new ones. Both by a fixed seed.
//
//   sender: … ! e2ee-encrypt ─[frames]─► payloader ! appsink ─[packets]─► appsrc ! … : receiver
//                                            ◄─────── keyframe requests ───────
#pragma once

#include "elements/glue/gst_ptr.h"

#include <gst/app/gstappsink.h>
#include <gst/app/gstappsrc.h>
#include <gst/video/video.h>

#include <atomic>
#include <deque>
#include <random>
#include <utility>
#include <vector>

namespace sotto {

class BadLine {
 public:
  struct Counts {
    std::atomic<unsigned> frames{0};
    std::atomic<unsigned> packets{0};
    std::atomic<unsigned> lost{0};
    std::atomic<unsigned> repeated{0};
    std::atomic<unsigned> disordered{0};
    std::atomic<unsigned> replayed{0};  ///< Frames, of which some are lost on the way.
    std::atomic<unsigned> requests{0};
  };

  /// `frames`: the pad sealed frames leave by. The line is good again after `calm` of them.
  BadLine(GstPad* frames, GstElement* appsink, GstElement* appsrc, unsigned calm)
      : calm_(calm), appsink_(appsink), appsrc_(appsrc) {
    gst_pad_add_probe(frames, GST_PAD_PROBE_TYPE_BUFFER, on_frame, this, nullptr);
    GstAppSinkCallbacks callbacks{};
    callbacks.new_sample = on_packet;
    callbacks.eos = on_end;
    gst_app_sink_set_callbacks(GST_APP_SINK(appsink), &callbacks, this, nullptr);
    const auto source = GstPtr<GstPad>::adopt(gst_element_get_static_pad(appsrc, "src"));
    gst_pad_add_probe(source.get(), GST_PAD_PROBE_TYPE_EVENT_UPSTREAM, on_request, this, nullptr);
  }
  const Counts& counts() const { return counts_; }

 private:
  static constexpr std::size_t kRemembered = 50;

  bool happens(double probability) {
    return counts_.frames <= calm_ && std::uniform_real_distribution<>()(random_) < probability;
  }

  static GstPadProbeReturn on_frame(GstPad* pad, GstPadProbeInfo* info, gpointer data) {
    auto& self = *static_cast<BadLine*>(data);
    if (self.replaying_) return GST_PAD_PROBE_OK;
    auto* now = GST_PAD_PROBE_INFO_BUFFER(info);
    ++self.counts_.frames;
    if (!self.memory_.empty() && self.happens(0.1)) {
      auto which = std::uniform_int_distribution<std::size_t>(0, self.memory_.size() - 1);
      GstBuffer* old = gst_buffer_copy(self.memory_[which(self.random_)].get());
      GST_BUFFER_PTS(old) = GST_BUFFER_PTS(now) - 3 * GST_MSECOND;
      GST_BUFFER_DTS(old) = GST_CLOCK_TIME_NONE;
      self.replaying_ = true;
      gst_pad_push(pad, old);
      self.replaying_ = false;
      ++self.counts_.replayed;
    }
    self.memory_.push_back(GstPtr<GstBuffer>::ref(now));
    if (self.memory_.size() > kRemembered) self.memory_.pop_front();
    return GST_PAD_PROBE_OK;
  }

  static GstFlowReturn on_packet(GstAppSink* sink, gpointer data) {
    auto& self = *static_cast<BadLine*>(data);
    auto* sample = gst_app_sink_pull_sample(sink);
    if (sample == nullptr) return GST_FLOW_EOS;
    if (!std::exchange(self.described_, true)) {
      gst_app_src_set_caps(GST_APP_SRC(self.appsrc_), gst_sample_get_caps(sample));
    }
    self.take(GstPtr<GstBuffer>::ref(gst_sample_get_buffer(sample)));
    gst_sample_unref(sample);
    return GST_FLOW_OK;
  }

  void take(GstPtr<GstBuffer> packet) {
    ++counts_.packets;
    for (auto& each : held_) --each.first;
    if (happens(0.05)) {
      ++counts_.lost;
    } else if (happens(0.05)) {
      ++counts_.disordered;
      held_.emplace_back(std::uniform_int_distribution<>(1, 4)(random_), packet);
    } else {
      send(packet);
      if (happens(0.05)) {
        ++counts_.repeated;
        held_.emplace_back(std::uniform_int_distribution<>(0, 8)(random_), packet);
      }
    }
    for (auto each = held_.begin(); each != held_.end();) {
      if (each->first > 0) {
        ++each;
        continue;
      }
      send(each->second);
      each = held_.erase(each);
    }
  }
  void send(const GstPtr<GstBuffer>& packet) {
    GstBuffer* copy = gst_buffer_copy(packet.get());
    GST_BUFFER_PTS(copy) = GST_CLOCK_TIME_NONE;  // It arrives when it arrives.
    GST_BUFFER_DTS(copy) = GST_CLOCK_TIME_NONE;
    gst_app_src_push_buffer(GST_APP_SRC(appsrc_), copy);
  }

  static void on_end(GstAppSink* /*sink*/, gpointer data) {
    auto& self = *static_cast<BadLine*>(data);
    for (const auto& each : self.held_) self.send(each.second);
    gst_app_src_end_of_stream(GST_APP_SRC(self.appsrc_));
  }

  static GstPadProbeReturn on_request(GstPad* /*pad*/, GstPadProbeInfo* info, gpointer data) {
    auto& self = *static_cast<BadLine*>(data);
    auto* event = GST_PAD_PROBE_INFO_EVENT(info);
    if (gst_video_event_is_force_key_unit(event) == FALSE) return GST_PAD_PROBE_OK;
    ++self.counts_.requests;
    const auto sink = GstPtr<GstPad>::adopt(gst_element_get_static_pad(self.appsink_, "sink"));
    gst_pad_push_event(sink.get(), gst_event_ref(event));
    return GST_PAD_PROBE_OK;
  }

  const unsigned calm_;
  GstElement* appsink_;  // The pipelines own them and outlive us.
  GstElement* appsrc_;
  Counts counts_;
  // Of the sender's streaming thread.
  std::mt19937 random_{20261123};
  std::deque<GstPtr<GstBuffer>> memory_;
  std::vector<std::pair<int, GstPtr<GstBuffer>>> held_;
  bool replaying_ = false;
  bool described_ = false;
};

}  // namespace sotto
