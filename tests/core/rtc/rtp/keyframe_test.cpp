// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// Where a decoder can start, told from the first bytes of a payload.
#include "core/rtc/rtp/keyframe.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace sotto::rtc::rtp {
namespace {

bool key(Format format, const Bytes& payload) { return inspect(format, payload).keyframe; }

TEST(Keyframe, Vp8NeedsTheFirstPartitionOfAnIntraFrame) {
  EXPECT_TRUE(key(Format::kVp8, {0x10, 0x00}));
  EXPECT_FALSE(key(Format::kVp8, {0x10, 0x01})) << "inter frame";
  EXPECT_FALSE(key(Format::kVp8, {0x00, 0x00})) << "not the start of a partition";
  EXPECT_FALSE(key(Format::kVp8, {0x11, 0x00})) << "second partition";
  EXPECT_TRUE(key(Format::kVp8, {0x90, 0x80, 0x05, 0x00})) << "7-bit picture id";
  EXPECT_TRUE(key(Format::kVp8, {0x90, 0x80, 0x85, 0x01, 0x00})) << "15-bit picture id";
  EXPECT_TRUE(key(Format::kVp8, {0x90, 0xE0, 0x85, 0x01, 0x07, 0x40, 0x00}));
  EXPECT_FALSE(key(Format::kVp8, {0x90, 0xE0, 0x85, 0x01, 0x07, 0x40, 0x01}));
  EXPECT_EQ(inspect(Format::kVp8, Bytes{0x90, 0x20, 0x80, 0x01}).temporal_layer, 2);
}

TEST(Keyframe, Vp9NeedsTheStartOfAnUnpredictedBaseLayer) {
  EXPECT_TRUE(key(Format::kVp9, {0x08, 0x00}));
  EXPECT_TRUE(key(Format::kVp9, {0x88, 0x85, 0x01, 0x00}));
  EXPECT_FALSE(key(Format::kVp9, {0x48, 0x00})) << "predicted";
  EXPECT_FALSE(key(Format::kVp9, {0x00, 0x00})) << "not the start";
  EXPECT_FALSE(key(Format::kVp9, {0x28, 0x02, 0x00})) << "upper spatial layer";
  const auto info = inspect(Format::kVp9, Bytes{0x28, 0x44, 0x00});
  EXPECT_EQ(info.temporal_layer, 2);
  EXPECT_EQ(info.spatial_layer, 2);
}

TEST(Keyframe, H264InEveryPacketization) {
  EXPECT_TRUE(key(Format::kH264, {0x65, 0x88})) << "IDR";
  EXPECT_TRUE(key(Format::kH264, {0x67, 0x42})) << "SPS";
  EXPECT_FALSE(key(Format::kH264, {0x68, 0xCE})) << "PPS alone";
  EXPECT_FALSE(key(Format::kH264, {0x41, 0x9A})) << "inter slice";
  EXPECT_TRUE(key(Format::kH264, {0x78, 0, 2, 0x67, 0x42, 0, 2, 0x68, 0xCE})) << "STAP-A";
  EXPECT_TRUE(key(Format::kH264, {0x78, 0, 1, 0x09, 0, 2, 0x65, 0x88})) << "after a delimiter";
  EXPECT_FALSE(key(Format::kH264, {0x78, 0, 2, 0x41, 0x9A}));
  EXPECT_TRUE(key(Format::kH264, {0x7C, 0x85, 0x88})) << "first piece of an IDR";
  EXPECT_FALSE(key(Format::kH264, {0x7C, 0x05, 0x88})) << "middle piece";
  EXPECT_FALSE(key(Format::kH264, {0x7C, 0x81, 0x9A}));
}

TEST(Keyframe, H265InEveryPacketization) {
  EXPECT_TRUE(key(Format::kH265, {0x26, 0x01, 0xAF})) << "IDR_W_RADL";
  EXPECT_TRUE(key(Format::kH265, {0x2A, 0x01, 0xAF})) << "CRA";
  EXPECT_TRUE(key(Format::kH265, {0x40, 0x01, 0x0C})) << "VPS";
  EXPECT_TRUE(key(Format::kH265, {0x42, 0x01, 0x01})) << "SPS";
  EXPECT_FALSE(key(Format::kH265, {0x02, 0x01, 0xD0})) << "TRAIL_R";
  EXPECT_TRUE(key(Format::kH265, {0x60, 0x01, 0, 3, 0x40, 0x01, 0x0C, 0, 3, 0x26, 0x01, 0xAF}));
  EXPECT_TRUE(key(Format::kH265, {0x62, 0x01, 0x93, 0xAF})) << "first piece of an IDR";
  EXPECT_FALSE(key(Format::kH265, {0x62, 0x01, 0x13, 0xAF})) << "middle piece";
  EXPECT_EQ(inspect(Format::kH265, Bytes{0x02, 0x03, 0xD0}).temporal_layer, 2);
}

TEST(Keyframe, Av1ByTheNewSequenceBitOrTheSequenceHeader) {
  EXPECT_TRUE(key(Format::kAv1, {0x18, 0x32, 0x00})) << "N, one OBU";
  EXPECT_TRUE(key(Format::kAv1, {0x20, 0x03, 0x0A, 0x0B, 0x00, 0x32})) << "sequence header first";
  EXPECT_TRUE(key(Format::kAv1, {0x00, 0x02, 0x0A, 0x0B})) << "OBUs not counted";
  EXPECT_FALSE(key(Format::kAv1, {0x10, 0x32, 0x00})) << "frame";
  EXPECT_FALSE(key(Format::kAv1, {0x98, 0x32, 0x00})) << "goes on from the packet before";
  const auto info = inspect(Format::kAv1, Bytes{0x10, 0x36, 0x48, 0x00});
  EXPECT_EQ(info.temporal_layer, 2);
  EXPECT_EQ(info.spatial_layer, 1);
}

TEST(Keyframe, WhatCannotBeJudgedIsNotWithheld) {
  EXPECT_EQ(video_format("H266"), Format::kOpaque);
  EXPECT_TRUE(key(Format::kOpaque, {0x41}));
  EXPECT_TRUE(key(Format::kAudio, {0x41}));
}

TEST(Keyframe, TruncatedPayloadsAreReadWithinTheirBounds) {
  std::mt19937 random(2);
  for (const Format format :
       {Format::kVp8, Format::kVp9, Format::kH264, Format::kH265, Format::kAv1}) {
    EXPECT_FALSE(key(format, {}));
    for (int round = 0; round < 20'000; ++round) {
      Bytes payload(random() % 12);
      for (auto& byte : payload) byte = static_cast<std::uint8_t>(random());
      payload.shrink_to_fit();
      const auto info = inspect(format, payload);
      EXPECT_LE(info.temporal_layer, 7);
      EXPECT_LE(info.spatial_layer, 7);
    }
  }
}

// The examples of docs/encodings.md as their payloaders send them. What lies behind the shim is
// ciphertext and decides nothing.
TEST(Keyframe, OfASealedFrameOnlyTheShimIsRead) {
  struct Sealed {
    Format format;
    Bytes payload;  // Descriptor and shim.
    bool keyframe;
  };
  const std::vector<Sealed> all = {
      {Format::kVp8, {0x10, 0x10, 2, 0, 0x9d, 1, 0x2a, 0x40, 1, 0xf0, 0, 0, 0, 0, 0}, true},
      {Format::kVp8, {0x10, 0x31, 1, 0, 0, 0, 0, 0}, false},
      {Format::kVp9, {0x08, 0x82, 0x49, 0x83, 0x42, 0, 0x13, 0xf0, 0x0e, 0xf6, 0}, true},
      {Format::kVp9, {0x48, 0x86}, false},
      {Format::kH264, {0x65, 0x88, 0x80}, true},
      {Format::kH264, {0x41, 0x9a, 0x20}, false},
      {Format::kH264, {0x7c, 0x85, 0x88, 0x80}, true},
      {Format::kAv1, {0x10, 0x08}, true},
      {Format::kAv1, {0x10, 0x30}, false},
  };
  std::mt19937 random(9605);
  for (const auto& sealed : all) {
    for (int round = 0; round < 200; ++round) {
      auto payload = sealed.payload;
      for (int i = 0; i < 40; ++i) payload.push_back(static_cast<std::uint8_t>(random()));
      const auto info = inspect(sealed.format, payload);
      ASSERT_EQ(info.keyframe, sealed.keyframe) << static_cast<int>(sealed.format);
      ASSERT_EQ(info.spatial_layer + info.temporal_layer, 0);
    }
  }
}

}  // namespace
}  // namespace sotto::rtc::rtp
