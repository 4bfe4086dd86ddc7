// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "pipelines/camera/rtp_converter.h"

#include "core/rtc/rtp/packet.h"
#include "elements/e2ee/caps.h"
#include "pipelines/camera/reaper.h"
#include "pipelines/fanout/clock.h"
#include "pipelines/fanout/frame_tap.h"

#include <gst/app/gstappsrc.h>
#include <gst/video/video.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <string>
#include <utility>

namespace sotto::camera {
namespace {

using namespace std::chrono_literals;

// A decoder that cannot keep up loses frames rather than time: this much may be under way.
constexpr guint64 kMaxQueuedBytes = 4U << 20U;
constexpr std::chrono::nanoseconds kMaxQueued = 1s;
constexpr std::chrono::nanoseconds kSettling = 3s;
// Pictures older than this when the converter starts are decoded but not encoded.
constexpr std::chrono::nanoseconds kPast = 250ms;
// Bits per pixel and second of a surveillance picture that still looks well, by eye.
constexpr double kBitsPerPixel = 2.0;
constexpr double kMinBitrate = 200'000;
constexpr double kMaxBitrate = 6'000'000;
constexpr std::size_t kMaxKeptPackets = 4096;

void set_bitrate(GstElement* encoder, int width, int height) {
  const double bits = std::clamp(kBitsPerPixel * width * height, kMinBitrate, kMaxBitrate);
  GObjectClass* klass = G_OBJECT_GET_CLASS(encoder);
  if (g_object_class_find_property(klass, "target-bitrate") != nullptr) {
    g_object_set(encoder, "target-bitrate", static_cast<gint>(bits), nullptr);
  } else {
    g_object_set(encoder, "bitrate", static_cast<guint>(bits / 1000), nullptr);
  }
}

}  // namespace

// Shared with the pipeline's callbacks, which may outlive the converter by a moment.
struct RtpConverter::State {
  GstPtr<GstElement> pipeline;
  GstPtr<GstElement> appsrc;
  std::unique_ptr<FrameTap> tap;
  std::function<void(Error)> on_failed;
  std::atomic<bool> failed{false};
  rtc::MonotonicTime started = rtc::monotonic_now();
  bool sound = false;
  std::uint8_t payload_type = 96;

  // Belong to the feeding thread.
  std::uint16_t sequence = 0;
  bool waiting = false;  // For a keyframe.

  void fail(Error error) {
    if (failed.exchange(true) || !on_failed) return;
    on_failed(std::move(error));
  }
  static GstBusSyncReply on_message(GstBus* bus, GstMessage* message, gpointer data);
  static GstPadProbeReturn before_encoder(GstPad* pad, GstPadProbeInfo* info, gpointer data);
};

namespace {

using StatePtr = std::shared_ptr<RtpConverter::State>;
void drop_state(gpointer data) { delete static_cast<StatePtr*>(data); }

}  // namespace

GstBusSyncReply RtpConverter::State::on_message(GstBus* /*bus*/, GstMessage* message,
                                                gpointer data) {
  if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_ERROR) {
    GError* error = nullptr;
    gst_message_parse_error(message, &error, nullptr);
    (*static_cast<StatePtr*>(data))->fail({ErrorCode::kUnsupported, error->message});
    g_error_free(error);
  }
  gst_message_unref(message);
  return GST_BUS_DROP;
}

GstPadProbeReturn RtpConverter::State::before_encoder(GstPad* pad, GstPadProbeInfo* info,
                                                      gpointer data) {
  auto& state = *static_cast<StatePtr*>(data);
  if ((info->type & GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM) != 0) {
    GstEvent* event = GST_PAD_PROBE_INFO_EVENT(info);
    if (GST_EVENT_TYPE(event) != GST_EVENT_CAPS) return GST_PAD_PROBE_OK;
    GstCaps* caps = nullptr;
    gst_event_parse_caps(event, &caps);
    GstVideoInfo video;
    if (gst_video_info_from_caps(&video, caps) != FALSE) {
      auto encoder = GstPtr<GstElement>::adopt(gst_pad_get_parent_element(pad));
      set_bitrate(encoder.get(), video.width, video.height);
    }
    return GST_PAD_PROBE_OK;
  }
  GstBuffer* buffer = GST_PAD_PROBE_INFO_BUFFER(info);
  const auto past = to_clock_time(state->started - kPast);
  return GST_BUFFER_PTS_IS_VALID(buffer) && GST_BUFFER_PTS(buffer) < past ? GST_PAD_PROBE_DROP
                                                                          : GST_PAD_PROBE_OK;
}

Result<std::shared_ptr<RtpConverter>> RtpConverter::create(Params params) {
  // Every depayloader, parser, decoder and encoder of ours for RTP is behind this.
  if (says_sealed(params.caps.get())) {
    return fail(ErrorCode::kUnsupported,
                "the stream is sealed end to end: it can be relayed, not converted");
  }
  const std::string line =
      "appsrc name=in is-live=true format=time max-bytes=" + std::to_string(kMaxQueuedBytes) +
      " ! " + params.recipe.launch + " ! fakesink name=out sync=false async=false";
  GError* error = nullptr;
  auto pipeline = GstPtr<GstElement>::sink(gst_parse_launch(line.c_str(), &error));
  if (error != nullptr) {
    auto failure = fail(ErrorCode::kUnsupported, error->message);
    g_error_free(error);
    return failure;
  }
  use_monotonic_clock(GST_PIPELINE(pipeline.get()));
  auto* bin = GST_BIN(pipeline.get());
  auto state = std::make_shared<State>();
  state->appsrc = GstPtr<GstElement>::adopt(gst_bin_get_by_name(bin, "in"));
  state->on_failed = std::move(params.on_failed);
  state->sound = params.from.kind == rtc::MediaKind::kAudio;
  if (params.from.payload_type >= 0) {
    state->payload_type = static_cast<std::uint8_t>(params.from.payload_type & 0x7F);
  }
  g_object_set(state->appsrc.get(), "caps", params.caps.get(), nullptr);
  auto sink = GstPtr<GstElement>::adopt(gst_bin_get_by_name(bin, "out"));
  state->tap = std::make_unique<FrameTap>(params.recipe.codec, std::move(params.out));
  state->tap->probe(sink.get());
  if (auto encoder = GstPtr<GstElement>::adopt(gst_bin_get_by_name(bin, "encoder"))) {
    auto pad = GstPtr<GstPad>::adopt(gst_element_get_static_pad(encoder.get(), "sink"));
    gst_pad_add_probe(pad.get(),
                      static_cast<GstPadProbeType>(GST_PAD_PROBE_TYPE_BUFFER |
                                                   GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM),
                      State::before_encoder, new StatePtr(state), drop_state);
  }
  auto bus = GstPtr<GstBus>::adopt(gst_element_get_bus(pipeline.get()));
  gst_bus_set_sync_handler(bus.get(), State::on_message, new StatePtr(state), drop_state);
  state->pipeline = pipeline;
  auto converter = std::make_shared<RtpConverter>(state);
  if (gst_element_set_state(pipeline.get(), GST_STATE_PLAYING) == GST_STATE_CHANGE_FAILURE) {
    return fail(ErrorCode::kUnsupported, "cannot start: " + params.recipe.launch);
  }
  return converter;
}

RtpConverter::~RtpConverter() {
  // The state refers to the pipeline and the pipeline's probes to the state: cut here.
  auto pipeline = std::exchange(state_->pipeline, nullptr);
  auto bus = GstPtr<GstBus>::adopt(gst_element_get_bus(pipeline.get()));
  // Keeps the state, with its tap and appsrc, until nothing of the pipeline runs any more.
  reap(std::move(pipeline), [state = std::move(state_), bus] {
    gst_bus_set_sync_handler(bus.get(), nullptr, nullptr, nullptr);
    state->tap.reset();
    state->appsrc.reset();
  });
}

void RtpConverter::request_keyframe() {
  if (state_->tap) state_->tap->request_keyframe();
}

std::optional<RtpConverter::Size> RtpConverter::picture_size() const {
  auto parse =
      GstPtr<GstElement>::adopt(gst_bin_get_by_name(GST_BIN(state_->pipeline.get()), "parse"));
  if (!parse) return std::nullopt;
  auto pad = GstPtr<GstPad>::adopt(gst_element_get_static_pad(parse.get(), "src"));
  auto caps = GstPtr<GstCaps>::adopt(gst_pad_get_current_caps(pad.get()));
  if (!caps) return std::nullopt;
  const GstStructure* structure = gst_caps_get_structure(caps.get(), 0);
  Size size;
  if (gst_structure_get_int(structure, "width", &size.width) == FALSE ||
      gst_structure_get_int(structure, "height", &size.height) == FALSE) {
    return std::nullopt;
  }
  return size;
}

void RtpConverter::on_frame(rtc::FramePtr frame) {
  State& state = *state_;
  if (state.failed) return;
  if (frame->after_gap && !frame->keyframe) state.waiting = true;
  auto* appsrc = GST_APP_SRC(state.appsrc.get());
  // The frames since the last keyframe come at once when a converter starts: they may queue.
  const bool settled = frame->arrival > state.started + kSettling;
  const bool late = settled && gst_app_src_get_current_level_time(appsrc) >
                                   static_cast<GstClockTime>(kMaxQueued.count());
  const bool full = late || gst_app_src_get_current_level_bytes(appsrc) > kMaxQueuedBytes / 2;
  if (full || (state.waiting && !frame->keyframe)) {
    state.waiting = true;
    return;
  }
  state.waiting = false;
  GstBufferList* list = gst_buffer_list_new_sized(static_cast<guint>(frame->packets.size()));
  const std::size_t count = std::min(frame->packets.size(), kMaxKeptPackets);
  for (std::size_t i = 0; i < count; ++i) {
    const ByteView packet = frame->packets[i];
    if (packet.size() < rtc::rtp::kFixedHeaderBytes) continue;
    GstBuffer* buffer = gst_buffer_new_memdup(packet.data(), packet.size());
    GstMapInfo map;
    gst_buffer_map(buffer, &map, GST_MAP_READWRITE);
    // Packets may have been added and loops begun anew: numbers and times are the frame's.
    map.data[1] = static_cast<std::uint8_t>((map.data[1] & 0x80U) | state.payload_type);
    rtc::rtp::store_u16(&map.data[2], state.sequence++);
    rtc::rtp::store_u32(&map.data[4], frame->rtp_time);
    gst_buffer_unmap(buffer, &map);
    GST_BUFFER_PTS(buffer) = to_clock_time(frame->pts);
    gst_buffer_list_add(list, buffer);
  }
  gst_app_src_push_buffer_list(GST_APP_SRC(state.appsrc.get()), list);
}

}  // namespace sotto::camera
