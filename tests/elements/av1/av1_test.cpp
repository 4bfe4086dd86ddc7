// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// sotto-rtpav1pay and sotto-rtpav1depay: caps, packet sizes, times, losses. What becomes of the
// bytes is tests/core/rtc/av1's.
#include "tests/core/rtc/av1/support.h"
#include "tests/elements/e2ee/support.h"

#include <gst/rtp/rtp.h>

namespace sotto {
namespace {

using rtc::av1::join;
using rtc::av1::kDelimiterObu;
using rtc::av1::kSequenceHeader;
using rtc::av1::obu;

constexpr const char* kUnits = "video/x-av1, stream-format=obu-stream, alignment=tu";
constexpr const char* kRtp =
    "application/x-rtp, media=video, clock-rate=90000, encoding-name=AV1, payload=96";
constexpr unsigned kFrame = 6;

Bytes key_unit() { return join({kDelimiterObu, obu(kSequenceHeader, 10), obu(kFrame, 3000)}); }
Bytes delta_unit() { return join({kDelimiterObu, obu(kFrame, 3000)}); }

class Av1Elements : public testing::Test {
 protected:
  static Harness make(const char* factory, const char* caps, const char* properties = "") {
    const std::string line = std::string(factory) + " " + properties;
    auto element = GstPtr<GstElement>::sink(gst_parse_launch(line.c_str(), nullptr));
    Harness harness(gst_harness_new_with_element(element.get(), "sink", "src"));
    bus_ = GstPtr<GstBus>::adopt(gst_bus_new());
    gst_element_set_bus(element.get(), bus_.get());
    gst_harness_set_src_caps_str(harness.get(), caps);
    return harness;
  }
  static GstPtr<GstBuffer> pull(const Harness& harness) {
    return GstPtr<GstBuffer>::adopt(gst_harness_try_pull(harness.get()));
  }
  static int questions(const Harness& harness) {
    int count = 0;
    while (auto* event = gst_harness_try_pull_upstream_event(harness.get())) {
      count += gst_event_has_name(event, "GstForceKeyUnit") ? 1 : 0;
      gst_event_unref(event);
    }
    return count;
  }
  /// The packets of a unit, all with its time.
  static std::vector<GstPtr<GstBuffer>> packets(const Harness& pay, const Bytes& unit,
                                                GstClockTime pts) {
    auto* buffer = buffer_of(unit);
    GST_BUFFER_PTS(buffer) = pts;
    EXPECT_EQ(gst_harness_push(pay.get(), buffer), GST_FLOW_OK);
    std::vector<GstPtr<GstBuffer>> out;
    while (auto packet = pull(pay)) out.push_back(std::move(packet));
    return out;
  }
  static void push(const Harness& depay, const GstPtr<GstBuffer>& packet) {
    EXPECT_EQ(gst_harness_push(depay.get(), gst_buffer_ref(packet.get())), GST_FLOW_OK);
  }
  static inline GstPtr<GstBus> bus_;
  static void TearDownTestSuite() { bus_.reset(); }
};

TEST_F(Av1Elements, PacketsFitTheMtuAndTheLastHasTheMarker) {
  const auto pay = make("sotto-rtpav1pay", kUnits, "mtu=600");
  const auto out = packets(pay, key_unit(), 5 * GST_SECOND);
  ASSERT_EQ(out.size(), 6U);
  for (std::size_t i = 0; i < out.size(); ++i) {
    GstRTPBuffer rtp = GST_RTP_BUFFER_INIT;
    ASSERT_TRUE(gst_rtp_buffer_map(out[i].get(), GST_MAP_READ, &rtp));
    EXPECT_LE(gst_rtp_buffer_get_packet_len(&rtp), 600U);
    EXPECT_EQ(gst_rtp_buffer_get_marker(&rtp) != FALSE, i + 1 == out.size());
    gst_rtp_buffer_unmap(&rtp);
    EXPECT_EQ(GST_BUFFER_PTS(out[i].get()), 5 * GST_SECOND);
    EXPECT_FALSE(GST_BUFFER_FLAG_IS_SET(out[i].get(), GST_BUFFER_FLAG_DELTA_UNIT));
  }
  const auto delta = packets(pay, delta_unit(), 6 * GST_SECOND);
  EXPECT_TRUE(GST_BUFFER_FLAG_IS_SET(delta.at(0).get(), GST_BUFFER_FLAG_DELTA_UNIT));
}

TEST_F(Av1Elements, CapsNameTheProfileUnlessItIsTheOneAssumed) {
  for (const auto& [profile, number] :
       {std::pair("main", ""), std::pair("high", "1"), std::pair("professional", "2")}) {
    const auto caps = std::string(kUnits) + ", profile=" + profile;
    const auto pay = make("sotto-rtpav1pay", caps.c_str());
    packets(pay, key_unit(), 0);
    const auto out = GstPtr<GstCaps>::adopt(gst_pad_get_current_caps(pay->sinkpad));
    const auto* structure = gst_caps_get_structure(out.get(), 0);
    EXPECT_STREQ(gst_structure_get_string(structure, "encoding-name"), "AV1");
    const char* seen = gst_structure_get_string(structure, "profile");
    EXPECT_STREQ(seen == nullptr ? "" : seen, number);
  }
}

TEST_F(Av1Elements, WhatIsNoUnitIsDroppedAndTheNextPasses) {
  const auto pay = make("sotto-rtpav1pay", kUnits);
  EXPECT_TRUE(packets(pay, Bytes{0x80, 1, 2, 3}, 0).empty());
  EXPECT_TRUE(packets(pay, kDelimiterObu, 0).empty());
  EXPECT_EQ(packets(pay, delta_unit(), 0).size(), 3U);
}

TEST_F(Av1Elements, TheSmallestMtuStillCarriesEverything) {
  const auto pay = make("sotto-rtpav1pay", kUnits, "mtu=28");
  const auto depay = make("sotto-rtpav1depay", kRtp);
  for (const auto& packet : packets(pay, key_unit(), 0)) push(depay, packet);
  const auto out = pull(depay);
  ASSERT_TRUE(out);
  EXPECT_EQ(bytes_of(out.get()), key_unit());
}

TEST_F(Av1Elements, UnitsComeOutAsTheyWentIn) {
  const auto pay = make("sotto-rtpav1pay", kUnits, "mtu=1200");
  const auto depay = make("sotto-rtpav1depay", kRtp);
  for (int i = 0; i < 5; ++i) {
    const auto unit = i == 0 ? key_unit() : delta_unit();
    for (const auto& packet : packets(pay, unit, static_cast<GstClockTime>(i) * GST_SECOND)) {
      push(depay, packet);
    }
    const auto out = pull(depay);
    ASSERT_TRUE(out);
    EXPECT_EQ(bytes_of(out.get()), unit);
    EXPECT_EQ(GST_BUFFER_PTS(out.get()), static_cast<GstClockTime>(i) * GST_SECOND);
    EXPECT_EQ(GST_BUFFER_FLAG_IS_SET(out.get(), GST_BUFFER_FLAG_DELTA_UNIT), i != 0);
  }
  const auto caps = GstPtr<GstCaps>::adopt(gst_pad_get_current_caps(depay->sinkpad));
  EXPECT_TRUE(gst_structure_has_name(gst_caps_get_structure(caps.get(), 0), "video/x-av1"));
  EXPECT_EQ(questions(depay), 0) << "unless it is told to";
}

TEST_F(Av1Elements, AfterALossItAsksAndWaitsForAKeyframe) {
  const auto pay = make("sotto-rtpav1pay", kUnits, "mtu=1200");
  const auto depay =
      make("sotto-rtpav1depay", kRtp, "request-keyframe=true wait-for-keyframe=true");
  const auto send = [&](const Bytes& unit, std::size_t lost) {
    const auto all = packets(pay, unit, 0);
    for (std::size_t i = 0; i < all.size(); ++i) {
      if (i != lost) push(depay, all[i]);
    }
    return pull(depay) ? 1 : 0;
  };
  constexpr std::size_t kNone = 99;
  EXPECT_EQ(send(delta_unit(), kNone), 0) << "a stream begins with a keyframe";
  EXPECT_EQ(questions(depay), 1);
  EXPECT_EQ(send(key_unit(), kNone), 1);
  EXPECT_EQ(send(delta_unit(), kNone), 1);
  EXPECT_EQ(questions(depay), 0);
  EXPECT_EQ(send(delta_unit(), 1), 0);
  EXPECT_EQ(send(delta_unit(), kNone), 0) << "it would show a damaged picture";
  EXPECT_EQ(questions(depay), 1) << "not one for each packet";
  EXPECT_EQ(send(key_unit(), kNone), 1);
  EXPECT_EQ(send(delta_unit(), kNone), 1);
  EXPECT_EQ(send(delta_unit(), 0), 0);
  EXPECT_EQ(questions(depay), 1) << "the next loss is asked for at once";
}

TEST_F(Av1Elements, WithoutWaitingTheNextUnitPassesMarked) {
  const auto pay = make("sotto-rtpav1pay", kUnits, "mtu=1200");
  const auto depay = make("sotto-rtpav1depay", kRtp);
  for (const auto& packet : packets(pay, key_unit(), 0)) push(depay, packet);
  EXPECT_TRUE(pull(depay));
  push(depay, packets(pay, delta_unit(), GST_SECOND).front());
  EXPECT_FALSE(pull(depay));
  for (const auto& packet : packets(pay, delta_unit(), 2 * GST_SECOND)) push(depay, packet);
  const auto out = pull(depay);
  ASSERT_TRUE(out);
  EXPECT_TRUE(GST_BUFFER_FLAG_IS_SET(out.get(), GST_BUFFER_FLAG_DISCONT));
  EXPECT_EQ(bytes_of(out.get()), delta_unit());
}

TEST_F(Av1Elements, AFlushForgetsTheUnitInTheMaking) {
  const auto pay = make("sotto-rtpav1pay", kUnits, "mtu=1200");
  const auto depay = make("sotto-rtpav1depay", kRtp);
  const auto first = packets(pay, key_unit(), 0);
  push(depay, first.front());
  gst_harness_push_event(depay.get(), gst_event_new_flush_start());
  gst_harness_push_event(depay.get(), gst_event_new_flush_stop(TRUE));
  GstSegment segment;
  gst_segment_init(&segment, GST_FORMAT_TIME);
  gst_harness_push_event(depay.get(), gst_event_new_segment(&segment));
  for (std::size_t i = 1; i < first.size(); ++i) push(depay, first[i]);
  EXPECT_FALSE(pull(depay)) << "its beginning is gone";
  for (const auto& packet : packets(pay, delta_unit(), 0)) push(depay, packet);
  EXPECT_TRUE(pull(depay));
}

}  // namespace
}  // namespace sotto
