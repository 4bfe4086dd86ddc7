// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// Packets become frames: where frames end, what is dropped, and what a loss leaves behind.
#include "core/rtc/rtp/assembler.h"

#include <gtest/gtest.h>

#include <random>

namespace sotto::rtc::rtp {
namespace {

using namespace std::chrono_literals;

struct Collector : FrameReceiver {
  void on_frame(FramePtr frame) override { frames.push_back(std::move(frame)); }
  std::vector<FramePtr> frames;
};

const Codec kVp8{MediaKind::kVideo, "VP8", 96, 90000, 1, {}};
const Codec kOpus{MediaKind::kAudio, "opus", 111, 48000, 2, {}};
const Bytes kKey = {0x10, 0x00, 1, 2, 3};
const Bytes kInter = {0x10, 0x01, 1, 2, 3};
const Bytes kMore = {0x00, 9, 9};

class Assembler : public ::testing::Test {
 protected:
  void push(std::uint16_t sequence, std::uint32_t time, bool marker, const Bytes& payload,
            std::uint32_t ssrc = 1) {
    const Bytes packet = Builder{.marker = marker,
                                 .sequence = sequence,
                                 .timestamp = time,
                                 .ssrc = ssrc,
                                 .payload = payload}
                             .build();
    now_ += 1ms;
    assembler_.push(packet, MonotonicTime(time), now_, out_);
  }
  std::size_t frames() const { return out_.frames.size(); }
  const Frame& frame(std::size_t i) const { return *out_.frames.at(i); }

  FrameAssembler assembler_{kVp8};
  Collector out_;
  MonotonicTime now_{};
};

TEST_F(Assembler, AFrameEndsAtItsMarker) {
  push(10, 1000, false, kKey);
  push(11, 1000, false, kMore);
  EXPECT_EQ(frames(), 0U);
  push(12, 1000, true, kMore);
  ASSERT_EQ(frames(), 1U);
  EXPECT_EQ(frame(0).packets.size(), 3U);
  EXPECT_TRUE(frame(0).keyframe);
  EXPECT_FALSE(frame(0).after_gap);
  EXPECT_EQ(frame(0).rtp_time, 1000U);
  EXPECT_EQ(frame(0).pts, MonotonicTime(1000));
  EXPECT_EQ(frame(0).arrival, 3ms) << "of the last packet";
  EXPECT_EQ(parse(frame(0).packets[1])->sequence, 11);
}

TEST_F(Assembler, OrWhereTheTimestampChanges) {
  push(1, 1000, false, kKey);
  push(2, 4000, false, kInter);
  push(3, 7000, true, kInter);
  ASSERT_EQ(frames(), 3U) << "the last packet ends the second frame and is the third";
  EXPECT_FALSE(frame(1).keyframe);
}

TEST_F(Assembler, NumbersAndTimesMayWrap) {
  push(65534, 0xFFFFFF00, true, kKey);
  push(65535, 0xFFFFFFFF, false, kInter);
  push(0, 0xFFFFFFFF, true, kMore);
  push(1, 2900, true, kInter);
  ASSERT_EQ(frames(), 3U);
  EXPECT_EQ(frame(1).packets.size(), 2U);
  EXPECT_EQ(assembler_.stats().lost_packets, 0U);
  EXPECT_FALSE(frame(2).after_gap);
}

TEST_F(Assembler, ALossInsideDropsTheFrameAndMarksTheNext) {
  push(1, 1000, true, kKey);
  push(2, 4000, false, kInter);
  push(4, 4000, true, kMore);
  EXPECT_EQ(frames(), 1U);
  push(5, 7000, true, kInter);
  ASSERT_EQ(frames(), 2U);
  EXPECT_TRUE(frame(1).after_gap);
  push(6, 9000, true, kInter);
  EXPECT_FALSE(frame(2).after_gap) << "the gap is told once";
  EXPECT_EQ(assembler_.stats().broken_frames, 1U);
  EXPECT_EQ(assembler_.stats().lost_packets, 1U);
}

TEST_F(Assembler, ALossOfAWholeFrameMarksTheNext) {
  push(1, 1000, true, kKey);
  push(3, 7000, true, kInter);
  ASSERT_EQ(frames(), 2U);
  EXPECT_TRUE(frame(1).after_gap);
}

TEST_F(Assembler, AKeyframeThatFollowsALossIsUsed) {
  push(1, 1000, false, kInter);
  push(5, 4000, true, kKey);
  ASSERT_EQ(frames(), 1U);
  EXPECT_TRUE(frame(0).keyframe);
}

TEST_F(Assembler, AKeyframeWhoseBeginningWasLostIsNone) {
  push(1, 1000, true, kInter);
  push(3, 4000, true, kMore);
  ASSERT_EQ(frames(), 2U);
  EXPECT_FALSE(frame(1).keyframe);
  EXPECT_TRUE(frame(1).after_gap);
}

TEST_F(Assembler, DuplicatesAndLatecomersAreIgnored) {
  push(1, 1000, true, kKey);
  push(2, 4000, false, kInter);
  push(2, 4000, false, kInter);
  push(1, 1000, true, kKey);
  push(3, 4000, true, kMore);
  ASSERT_EQ(frames(), 2U);
  EXPECT_EQ(frame(1).packets.size(), 2U);
  EXPECT_EQ(assembler_.stats().late_packets, 2U);
}

TEST_F(Assembler, ProbesOfPaddingCountButCarryNothing) {
  push(1, 1000, true, kKey);
  now_ += 1ms;
  const Bytes probe = Builder{.sequence = 2, .timestamp = 1000, .ssrc = 1, .padding = 200}.build();
  assembler_.push(probe, {}, now_, out_);
  push(3, 4000, true, kInter);
  ASSERT_EQ(frames(), 2U);
  EXPECT_FALSE(frame(1).after_gap) << "the probe's number was seen";
  EXPECT_EQ(assembler_.stats().empty_packets, 1U);
}

TEST_F(Assembler, AnotherSsrcIsANewBeginning) {
  push(500, 1000, false, kKey, 1);
  push(7, 9, true, kInter, 2);
  ASSERT_EQ(frames(), 1U);
  EXPECT_TRUE(frame(0).after_gap);
  EXPECT_EQ(assembler_.stats().broken_frames, 1U);
  EXPECT_EQ(assembler_.stats().lost_packets, 0U);
}

TEST_F(Assembler, ANumberFarBackIsARestartedSourceNotALateOne) {
  push(20'000, 1000, true, kKey);
  push(3, 55, true, kInter);
  ASSERT_EQ(frames(), 2U);
  EXPECT_TRUE(frame(1).after_gap);
}

TEST_F(Assembler, ResetForgetsTheFrameInTheMaking) {
  push(1, 1000, false, kInter);
  assembler_.reset();
  push(9, 4000, true, kInter);
  ASSERT_EQ(frames(), 1U);
  EXPECT_EQ(frame(0).rtp_time, 4000U);
  EXPECT_TRUE(frame(0).after_gap);
}

TEST_F(Assembler, MalformedPacketsAreCountedOnly) {
  assembler_.push(Bytes(11, 0x80), {}, {}, out_);
  assembler_.push({}, {}, {}, out_);
  EXPECT_EQ(assembler_.stats().malformed_packets, 2U);
  EXPECT_EQ(frames(), 0U);
}

TEST(AssemblerLimits, AFrameBeyondThemIsDroppedWhole) {
  Collector out;
  FrameAssembler assembler(kVp8, {.packets = 3, .bytes = 200});
  const auto push = [&](std::uint16_t sequence, std::uint32_t time, bool marker, std::size_t size) {
    Bytes payload(size);
    payload[0] = 0x10;
    assembler.push(
        Builder{.marker = marker, .sequence = sequence, .timestamp = time, .payload = payload}
            .build(),
        {}, {}, out);
  };
  for (std::uint16_t i = 0; i < 4; ++i) push(i, 1, i == 3, 10);
  EXPECT_EQ(out.frames.size(), 0U) << "four packets";
  push(4, 2, false, 150);
  push(5, 2, true, 150);
  EXPECT_EQ(out.frames.size(), 0U) << "over 200 bytes";
  push(6, 3, true, 100);
  ASSERT_EQ(out.frames.size(), 1U);
  EXPECT_TRUE(out.frames[0]->after_gap);
  EXPECT_EQ(assembler.stats().broken_frames, 2U);
}

TEST(AssemblerAudio, EachPacketIsAFrameAndALossHurtsNoOther) {
  Collector out;
  FrameAssembler assembler(kOpus);
  for (const std::uint16_t sequence : std::initializer_list<std::uint16_t>{1, 2, 5}) {
    assembler.push(
        Builder{.sequence = sequence, .timestamp = sequence * 960U, .payload = {1}}.build(), {}, {},
        out);
  }
  ASSERT_EQ(out.frames.size(), 3U);
  for (const auto& frame : out.frames) {
    EXPECT_TRUE(frame->keyframe);
    EXPECT_FALSE(frame->after_gap);
  }
  EXPECT_EQ(assembler.stats().lost_packets, 2U);
}

TEST(AssemblerFuzz, FramesHoldWholePacketsWhateverComesIn) {
  struct Checker : FrameReceiver {
    void on_frame(FramePtr frame) override {
      ++count;
      ASSERT_FALSE(frame->packets.empty());
      for (const auto packet : frame->packets) {
        const auto header = parse(packet);
        ASSERT_TRUE(header);
        EXPECT_EQ(header->timestamp, frame->rtp_time);
        EXPECT_GT(header->payload_size, 0U);
      }
    }
    int count = 0;
  } checker;
  std::mt19937 random(3);
  for (const char* name : {"VP8", "VP9", "H264", "H265", "AV1", "none"}) {
    FrameAssembler assembler({MediaKind::kVideo, name, 96, 90000, 1, {}}, {64, 4096});
    std::uint16_t sequence = 0;
    std::uint32_t time = 0;
    for (int round = 0; round < 10'000; ++round) {
      Builder builder;
      sequence = static_cast<std::uint16_t>(sequence + (random() % 50 == 0 ? random() : 1));
      if (random() % 4 == 0) time += static_cast<std::uint32_t>(random() % 9000);
      builder.sequence = sequence;
      builder.timestamp = time;
      builder.marker = random() % 4 == 0;
      builder.ssrc = random() % 500 == 0 ? 2 : 1;
      builder.payload.resize(random() % 40);
      for (auto& byte : builder.payload) byte = static_cast<std::uint8_t>(random());
      Bytes packet = builder.build();
      if (random() % 20 == 0)
        packet[random() % packet.size()] = static_cast<std::uint8_t>(random());
      if (random() % 50 == 0) packet.resize(random() % packet.size());
      assembler.push(packet, {}, {}, checker);
    }
  }
  EXPECT_GT(checker.count, 1000);
}

}  // namespace
}  // namespace sotto::rtc::rtp
