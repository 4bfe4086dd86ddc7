// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "pipelines/mountpoint/udp_reader.h"

#include "pipelines/fanout/clock.h"
#include "pipelines/fanout/frame_tap.h"

#include <gio/gio.h>

#include <algorithm>
#include <cctype>

namespace sotto {
namespace {

constexpr int kReceiveBufferBytes = 1 << 20;  // A keyframe at 8 Mbit/s comes as one burst.

std::string upper(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return text;
}

GstPtr<GstCaps> caps_of(const rtc::Codec& codec) {
  return GstPtr<GstCaps>::adopt(gst_caps_new_simple(
      "application/x-rtp", "media", G_TYPE_STRING, std::string(name_of(codec.kind)).c_str(),
      "clock-rate", G_TYPE_INT, static_cast<int>(codec.clock_rate), "encoding-name", G_TYPE_STRING,
      upper(codec.name).c_str(), "payload", G_TYPE_INT, codec.payload_type, nullptr));
}

GstElement* make(GstBin* bin, const char* factory) {
  GstElement* element = gst_element_factory_make(factory, nullptr);
  if (element != nullptr) gst_bin_add(bin, element);
  return element;
}

}  // namespace

Result<std::unique_ptr<UdpReader>> UdpReader::open(std::vector<UdpInput> inputs) {
  std::unique_ptr<UdpReader> reader(new UdpReader);
  reader->pipeline_ = GstPtr<GstElement>::sink(gst_pipeline_new("mountpoint"));
  auto* pipeline = GST_PIPELINE(reader->pipeline_.get());
  use_monotonic_clock(pipeline);
  std::vector<GstElement*> sources;
  for (UdpInput& input : inputs) {
    GstElement* source = make(GST_BIN(pipeline), "udpsrc");
    GstElement* jitter = make(GST_BIN(pipeline), "rtpjitterbuffer");
    GstElement* sink = make(GST_BIN(pipeline), "fakesink");
    if (source == nullptr || jitter == nullptr || sink == nullptr) {
      return fail(ErrorCode::kInternal, "udpsrc, rtpjitterbuffer or fakesink is missing");
    }
    const std::string address = input.address.empty() ? "127.0.0.1" : input.address;
    const auto caps = caps_of(input.codec);
    g_object_set(source, "address", address.c_str(), "port", static_cast<int>(input.port), "caps",
                 caps.get(), "buffer-size", kReceiveBufferBytes, "auto-multicast", TRUE, nullptr);
    if (!input.interface.empty()) {
      g_object_set(source, "multicast-iface", input.interface.c_str(), nullptr);
    }
    g_object_set(jitter, "latency", static_cast<guint>(kReorderLatency.count()), nullptr);
    g_object_set(sink, "sync", FALSE, "async", FALSE, nullptr);
    gst_element_link_many(source, jitter, sink, nullptr);
    auto tap = std::make_unique<FrameTap>(input.codec, std::move(input.receiver));
    if (!tap->probe(sink)) return fail(ErrorCode::kInternal, "a pad could not be watched");
    reader->taps_.push_back(std::move(tap));
    sources.push_back(source);
  }
  if (gst_element_set_state(reader->pipeline_.get(), GST_STATE_PLAYING) ==
      GST_STATE_CHANGE_FAILURE) {
    return fail(ErrorCode::kIo, "A UDP port is taken or its address is not one of this machine");
  }
  for (GstElement* source : sources) {
    int port = 0;
    g_object_get(source, "port", &port, nullptr);
    reader->ports_.push_back(static_cast<std::uint16_t>(port));
  }
  return reader;
}

UdpReader::~UdpReader() {
  for (const auto& tap : taps_) tap->close();
  if (!pipeline_) return;
  gst_element_set_state(pipeline_.get(), GST_STATE_NULL);
  // Messages nobody popped keep their elements alive.
  const auto bus = GstPtr<GstBus>::adopt(gst_element_get_bus(pipeline_.get()));
  gst_bus_set_flushing(bus.get(), TRUE);
}

}  // namespace sotto
