// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// The bitrate limit as it stands on the wire, and TURN URLs.
#include "elements/webrtc/rtcp.h"

#include "elements/webrtc/webrtcbin.h"

#include <gst/app/gstappsink.h>
#include <gst/app/gstappsrc.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <vector>

namespace sotto {
namespace {

constexpr guint32 kSsrc = 0x01020304;

struct Remb {
  std::uint64_t rate = 0;
  std::vector<guint32> ssrcs;
};

/// The first REMB of a compound packet (draft-alvestrand-rmcat-remb-03, 2.2).
std::optional<Remb> find_remb(const guint8* data, std::size_t size) {
  while (size >= 4) {
    const std::size_t length = 4 * (static_cast<std::size_t>(GST_READ_UINT16_BE(data + 2)) + 1);
    if (length > size) return std::nullopt;
    const bool afb = data[1] == 206 && (data[0] & 31U) == 15;
    if (afb && length >= 20 && GST_READ_UINT32_BE(data + 12) == 0x52454d42) {
      Remb remb;
      const guint exponent = data[17] >> 2U;
      const std::uint64_t mantissa =
          (static_cast<std::uint64_t>(data[17] & 3U) << 16U) | GST_READ_UINT16_BE(data + 18);
      remb.rate = mantissa << exponent;
      for (std::size_t i = 0; i < data[16]; ++i) {
        if (20 + 4 * i + 4 <= length) remb.ssrcs.push_back(GST_READ_UINT32_BE(data + 20 + 4 * i));
      }
      return remb;
    }
    data += length;
    size -= length;
  }
  return std::nullopt;
}

/// A session that hears one source and reports about it.
class RtcpTest : public testing::Test {
 protected:
  void SetUp() override {
    GError* error = nullptr;
    pipeline_ = GstPtr<GstElement>::sink(gst_parse_launch(
        "rtpbin name=rtpbin appsrc name=in is-live=true format=time do-timestamp=true "
        "caps=application/x-rtp,media=video,encoding-name=VP8,clock-rate=90000,payload=96 "
        "! rtpbin.recv_rtp_sink_0 rtpbin.send_rtcp_src_0 ! appsink name=out sync=false async=false "
        "fakesink name=end sync=false async=false",
        &error));
    ASSERT_EQ(error, nullptr) << error->message;
    const auto rtpbin =
        GstPtr<GstElement>::adopt(gst_bin_get_by_name(GST_BIN(pipeline_.get()), "rtpbin"));
    using OnPad = void (*)(GstElement*, GstPad*, gpointer);
    const OnPad on_pad = [](GstElement*, GstPad* pad, gpointer pipeline) {
      if (!g_str_has_prefix(GST_PAD_NAME(pad), "recv_rtp_src_0")) return;
      const auto sink = GstPtr<GstElement>::adopt(gst_bin_get_by_name(GST_BIN(pipeline), "end"));
      const auto target = GstPtr<GstPad>::adopt(gst_element_get_static_pad(sink.get(), "sink"));
      gst_pad_link(pad, target.get());
    };
    g_signal_connect(rtpbin.get(), "pad-added", G_CALLBACK(on_pad), pipeline_.get());
    gst_element_set_state(pipeline_.get(), GST_STATE_PLAYING);
    in_ = GstPtr<GstElement>::adopt(gst_bin_get_by_name(GST_BIN(pipeline_.get()), "in"));
    out_ = GstPtr<GstElement>::adopt(gst_bin_get_by_name(GST_BIN(pipeline_.get()), "out"));
  }
  void TearDown() override {
    link_.close();
    gst_element_set_state(pipeline_.get(), GST_STATE_NULL);
  }
  /// Feeds packets until a report carries a REMB that `wanted` accepts.
  template <class Wanted>
  bool reported(Wanted wanted) {
    const gint64 end = g_get_monotonic_time() + 60 * G_USEC_PER_SEC;
    while (g_get_monotonic_time() < end) {
      GstBuffer* buffer = gst_buffer_new_allocate(nullptr, 20, nullptr);
      GstMapInfo map;
      gst_buffer_map(buffer, &map, GST_MAP_WRITE);
      std::fill_n(map.data, map.size, guint8{0});
      map.data[0] = 0x80;
      map.data[1] = 96;
      GST_WRITE_UINT16_BE(map.data + 2, sequence_++);
      GST_WRITE_UINT32_BE(map.data + 4, static_cast<guint32>(sequence_) * 3000U);
      GST_WRITE_UINT32_BE(map.data + 8, kSsrc);
      gst_buffer_unmap(buffer, &map);
      gst_app_src_push_buffer(GST_APP_SRC(in_.get()), buffer);
      const auto sample = GstPtr<GstSample>::adopt(
          gst_app_sink_try_pull_sample(GST_APP_SINK(out_.get()), 20 * GST_MSECOND));
      if (!sample) continue;
      GstBuffer* report = gst_sample_get_buffer(sample.get());
      gst_buffer_map(report, &map, GST_MAP_READ);
      const auto remb = find_remb(map.data, map.size);
      gst_buffer_unmap(report, &map);
      if (wanted(remb)) return true;
    }
    return false;
  }

  GstPtr<GstElement> pipeline_;
  GstPtr<GstElement> in_;
  GstPtr<GstElement> out_;
  RtcpLink link_;
  guint16 sequence_ = 0;
};

TEST_F(RtcpTest, ALimitGoesOutWithTheReportsAndIsLifted) {
  ASSERT_TRUE(link_.attach(pipeline_.get()));
  link_.limit(300'000);
  EXPECT_TRUE(reported([](const std::optional<Remb>& remb) {
    return remb && remb->rate > 299'000 && remb->rate <= 300'000 &&
           remb->ssrcs == std::vector<guint32>{kSsrc};
  }));
  link_.limit(0);
  EXPECT_TRUE(reported([](const std::optional<Remb>& remb) {
    return remb && remb->rate > 100'000'000;
  })) << "the sender is told that it may go on";
  EXPECT_GT(link_.stats().bytes_received, 0U);
}

TEST_F(RtcpTest, WithoutALimitNothingIsSaid) {
  ASSERT_TRUE(link_.attach(pipeline_.get()));
  int reports = 0;
  EXPECT_TRUE(reported([&](const std::optional<Remb>& remb) {
    EXPECT_FALSE(remb);
    return ++reports >= 1;
  }));
}

TEST(IceServerUrl, TakesTheFormWebrtcbinWants) {
  EXPECT_EQ(*to_gst_url({"stun:example.org", "", ""}), "stun://example.org:3478");
  EXPECT_EQ(*to_gst_url({"turn:example.org:5000?transport=udp", "1700:me", "a/b+c="}),
            "turn://1700%3Ame:a%2Fb%2Bc%3D@example.org:5000?transport=udp");
  EXPECT_EQ(*to_gst_url({"turns:[2001:db8::1]", "u", "p"}), "turns://u:p@[2001:db8::1]:5349");
  for (const char* url : {"", "http://example.org", "stun:", "turn:a b", "turn:x@y", "stun:a/b"}) {
    EXPECT_FALSE(to_gst_url({url, "", ""})) << url;
  }
}

}  // namespace
}  // namespace sotto
