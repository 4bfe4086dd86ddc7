// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// AV1 in RTP as the AOM's "RTP Payload Format For AV1" 1.0 has it, section 4.
#include "tests/core/rtc/av1/support.h"

#include <gtest/gtest.h>

namespace sotto::rtc::av1 {
namespace {

constexpr unsigned kFrame = 6;
constexpr unsigned kFrameHeader = 3;
constexpr unsigned kTileGroup = 4;
constexpr unsigned kMetadata = 5;

TEST(Leb128, IsTheShortestAndReadsLongerOnes) {
  EXPECT_EQ(to_hex(leb128(0).view()), "00");
  EXPECT_EQ(to_hex(leb128(127).view()), "7f");
  EXPECT_EQ(to_hex(leb128(128).view()), "8001");
  EXPECT_EQ(to_hex(leb128(1200).view()), "b009");
  EXPECT_EQ(read_leb128(Bytes{0xB0, 0x09, 0xFF})->value, 1200U);
  EXPECT_EQ(read_leb128(Bytes{0xB0, 0x89, 0x80, 0x00})->bytes, 4U);
  EXPECT_EQ(read_leb128(Bytes{0xFF, 0xFF, 0xFF, 0xFF, 0x0F})->value, 0xFFFFFFFFU);
  EXPECT_FALSE(read_leb128(Bytes{0x80, 0x80, 0x80, 0x80, 0x10})) << "2^32";
  EXPECT_FALSE(read_leb128(Bytes{0x80, 0x80})) << "cut off";
  EXPECT_FALSE(read_leb128(Bytes(9, 0x80))) << "too long";
  EXPECT_FALSE(read_leb128({}));
}

TEST(Obu, StaysWithinItsBytes) {
  EXPECT_EQ(read_obu(obu(kFrame, 5))->bytes, 7U);
  EXPECT_EQ(read_obu(obu(kFrame, 5, 0x48))->obu.extension, 0x48);
  EXPECT_EQ(read_obu(Bytes{0x30, 1, 2})->obu.payload.size(), 2U) << "no size: to the end";
  EXPECT_FALSE(read_obu({}));
  EXPECT_FALSE(read_obu(Bytes{0xB2, 0x00})) << "forbidden bit";
  EXPECT_FALSE(read_obu(Bytes{0x36})) << "extension cut off";
  EXPECT_FALSE(read_obu(Bytes{0x32, 3, 1, 2})) << "payload cut off";
  EXPECT_FALSE(read_obu(Bytes{0x32, 0x80})) << "size cut off";
}

TEST(Packetiser, AFrameThatFitsIsOneOfOne) {
  const auto out = payloads(join({kDelimiterObu, obu(kFrame, 3)}), 100);
  ASSERT_EQ(out.size(), 1U);
  EXPECT_EQ(to_hex(out[0]), "1030010203") << "W=1, no delimiter, no size";
}

TEST(Packetiser, AKeyframeSaysSoAndIsAggregated) {
  const auto out = payloads(join({kDelimiterObu, obu(kSequenceHeader, 2), obu(kFrame, 3)}), 100);
  ASSERT_EQ(out.size(), 1U);
  EXPECT_EQ(to_hex(out[0]),
            "28030801023001"
            "0203")
      << "N, W=2, the first with its size";
}

TEST(Packetiser, MoreThanThreeAreNotCounted) {
  const auto out = payloads(
      join({obu(kSequenceHeader, 1), obu(kMetadata, 1), obu(kMetadata, 1), obu(kFrame, 2)}), 100);
  ASSERT_EQ(out.size(), 1U);
  EXPECT_EQ(to_hex(out[0]),
            "080208010228010228010330"
            "0102")
      << "W=0: each has a size";
}

TEST(Packetiser, ALargeOneIsCutWithZAndY) {
  const auto out = payloads(obu(kFrame, 40), 16);
  ASSERT_EQ(out.size(), 3U);
  EXPECT_EQ(out[0][0], 0x50) << "goes on";
  EXPECT_EQ(out[1][0], 0xD0) << "continues and goes on";
  EXPECT_EQ(out[2][0], 0x90) << "continues";
  EXPECT_EQ(out[0].size(), 16U);
  EXPECT_EQ(out[2].size(), 41U - 30U + 1U);
}

TEST(Packetiser, NoPacketEndsBetweenTwoObusOfAFrame) {
  // Of every size around the place where the first one just fits, or the second just not.
  for (std::size_t first = 1; first < 60; ++first) {
    const auto unit = join({obu(kSequenceHeader, first), obu(kFrame, 60)});
    const auto out = payloads(unit, 24);
    for (std::size_t i = 0; i < out.size(); ++i) {
      const bool last = i + 1 == out.size();
      EXPECT_LE(out[i].size(), 24U);
      EXPECT_EQ((out[i][0] & kGoesOn) != 0, !last) << first << ", packet " << i;
      EXPECT_EQ((out[i][0] & kContinues) != 0, i != 0) << first << ", packet " << i;
      EXPECT_EQ((out[i][0] & kNewSequence) != 0, i == 0) << first << ", packet " << i;
    }
    EXPECT_EQ(to_hex(Receiver().receive(out)), to_hex(join({kDelimiterObu, unit}))) << first;
  }
}

TEST(Packetiser, LayersShareNoPacket) {
  const auto unit = join({obu(kSequenceHeader, 2), obu(kFrame, 3, 0x00), obu(kFrame, 3, 0x08)});
  const auto out = payloads(unit, 100);
  ASSERT_EQ(out.size(), 2U);
  EXPECT_EQ(out[0][0], 0x28) << "the sequence header goes with the first layer";
  EXPECT_EQ(out[1][0], 0x10) << "and no part of the first is in the second";
  EXPECT_EQ(to_hex(Receiver().receive(out)), to_hex(join({kDelimiterObu, unit})));
}

TEST(Packetiser, RefusesWhatIsNoUnit) {
  Packetiser packetiser;
  EXPECT_FALSE(packetiser.cut({}, 100));
  EXPECT_FALSE(packetiser.cut(kDelimiterObu, 100)) << "nothing travels";
  EXPECT_FALSE(packetiser.cut(obu(kTileList, 4), 100)) << "tile lists do not";
  EXPECT_FALSE(packetiser.cut(Bytes{0x32, 9, 1}, 100)) << "cut off";
  EXPECT_FALSE(packetiser.cut(Bytes{0x80}, 100)) << "forbidden bit";
  EXPECT_FALSE(packetiser.cut(obu(kFrame, 9), kMinPayload - 1));
  EXPECT_TRUE(packetiser.cut(obu(kFrame, 9), kMinPayload));
}

TEST(Depacketiser, GivesDelimiterAndSizesBack) {
  Receiver receiver;
  const auto unit = join({kDelimiterObu, obu(kSequenceHeader, 10), obu(kFrame, 3000)});
  EXPECT_EQ(to_hex(receiver.receive(payloads(unit, 1188))), to_hex(unit));
  EXPECT_TRUE(receiver.keyframe);
  const auto delta = join({kDelimiterObu, obu(kFrame, 500, 0x20)});
  EXPECT_EQ(to_hex(receiver.receive(payloads(delta, 100))), to_hex(delta));
  EXPECT_FALSE(receiver.keyframe);
  EXPECT_FALSE(receiver.after_gap);
  EXPECT_EQ(receiver.depacketiser.stats().units, 2U);
}

TEST(Depacketiser, TakesWhatOthersMaySend) {
  Receiver receiver;
  // Sizes within OBUs, a delimiter, more bytes for a length than it needs, an empty element.
  EXPECT_EQ(
      to_hex(receiver.push({0x00, 0x02, 0x12, 0x00, 0x84, 0x00, 0x32, 0x02, 7, 8, 0x00}, true)),
      "1200"
      "32020708");
  receiver.timestamp += 3000;
  EXPECT_EQ(to_hex(receiver.push({0x18, 0x30, 9}, true)),
            "1200"
            "320109");
  EXPECT_TRUE(receiver.keyframe) << "N says so, whatever is inside";
}

TEST(Depacketiser, ALostPacketCostsItsUnitOnly) {
  const auto key = join({kDelimiterObu, obu(kSequenceHeader, 10), obu(kFrame, 300)});
  const auto delta = join({kDelimiterObu, obu(kFrame, 300)});
  const auto parts = payloads(delta, 100);
  ASSERT_EQ(parts.size(), 4U);
  for (std::size_t lost = 0; lost < parts.size(); ++lost) {
    Receiver receiver;
    EXPECT_EQ(receiver.receive(payloads(key, 100)), key);
    EXPECT_TRUE(receiver.receive(parts, {lost}).empty()) << lost;
    EXPECT_EQ(receiver.depacketiser.gap(), lost + 1 != parts.size())
        << "the last one's loss shows with the next packet";
    EXPECT_EQ(receiver.receive(parts), delta) << lost;
    EXPECT_TRUE(receiver.after_gap);
    EXPECT_EQ(receiver.receive(parts), delta);
    EXPECT_FALSE(receiver.after_gap);
    EXPECT_EQ(receiver.depacketiser.stats().broken_units, 1U);
    EXPECT_EQ(receiver.depacketiser.stats().malformed_packets, 0U);
  }
}

TEST(Depacketiser, AWholeLostUnitBreaksNoOther) {
  const auto delta = join({kDelimiterObu, obu(kFrame, 30)});
  Receiver receiver;
  EXPECT_EQ(receiver.receive(payloads(delta, 100)), delta);
  receiver.receive(payloads(delta, 100), {0});
  EXPECT_EQ(receiver.receive(payloads(delta, 100)), delta);
  EXPECT_TRUE(receiver.after_gap);
  EXPECT_EQ(receiver.depacketiser.stats().broken_units, 0U);
}

TEST(Depacketiser, WhoJoinsInTheMiddleWaitsForABeginning) {
  const auto delta = join({kDelimiterObu, obu(kFrame, 300)});
  const auto tiles = join({kDelimiterObu, obu(kFrameHeader, 3), obu(kTileGroup, 10)});
  Receiver receiver;
  EXPECT_TRUE(receiver.receive(payloads(delta, 100), {0, 1}).empty());
  EXPECT_EQ(receiver.depacketiser.stats().malformed_packets, 0U);
  ++receiver.sequence;  // The frame header's packet.
  EXPECT_TRUE(receiver.push({0x10, kTileGroup << 3U, 1, 2}, true).empty());
  receiver.timestamp += 3000;
  EXPECT_EQ(receiver.receive(payloads(tiles, 100)), tiles);
}

TEST(Depacketiser, RepeatedAndLatePacketsChangeNothing) {
  const auto delta = join({kDelimiterObu, obu(kFrame, 300)});
  const auto parts = payloads(delta, 100);
  Depacketiser depacketiser;
  std::uint16_t sequence = 65534;
  const auto push = [&](std::size_t i) {
    const auto unit = depacketiser.push(
        {static_cast<std::uint16_t>(sequence + i), 1, i + 1 == parts.size(), parts[i]});
    return Bytes(unit.bytes.begin(), unit.bytes.end());
  };
  for (const std::size_t i : {0U, 0U, 1U, 0U, 1U, 2U, 2U}) EXPECT_TRUE(push(i).empty());
  EXPECT_EQ(push(3), delta);
  EXPECT_TRUE(push(3).empty()) << "the same unit comes out once";
  EXPECT_EQ(depacketiser.stats().late_packets, 5U);
  EXPECT_EQ(depacketiser.stats().units, 1U);
  // Far away is a sender that started anew.
  sequence = 30000;
  for (const std::size_t i : {0U, 1U, 2U}) EXPECT_TRUE(push(i).empty());
  EXPECT_EQ(push(3), delta);
}

TEST(Depacketiser, RefusesWhatDoesNotFitTogether) {
  struct Case {
    const char* what;
    std::vector<Bytes> packets;
  };
  const Case cases[] = {
      {"only an aggregation header", {{0x10}}},
      {"continues what did not begin", {{0x10, 0x30, 1}, {0x90, 1, 2}}},
      {"goes on, and does not", {{0x50, 0x30, 1}, {0x10, 0x30, 2}}},
      {"goes on at the end of the unit", {{0x50, 0x30, 1}}},
      {"a length beyond the packet", {{0x00, 0x05, 0x30, 1}}},
      {"a length cut off", {{0x20, 0x80}}},
      {"fewer than counted", {{0x30, 0x02, 0x30, 1, 0x02, 0x30, 1}}},
      {"a new sequence that continues", {{0x50, 0x30, 1}, {0x98, 1}}},
      {"forbidden bit", {{0x10, 0xB0, 1}}},
      {"an inner size that is wrong", {{0x10, 0x32, 9, 1}}},
      {"bytes behind the inner size", {{0x10, 0x32, 1, 1, 2}}},
      {"nothing but a delimiter", {{0x10, 0x10}}},
  };
  for (const auto& one : cases) {
    Receiver receiver;
    receiver.receive({{0x18, 0x30, 9}});
    EXPECT_TRUE(receiver.receive(one.packets).empty()) << one.what;
    EXPECT_EQ(receiver.depacketiser.stats().broken_units, 1U) << one.what;
    EXPECT_FALSE(receiver.receive({{0x18, 0x30, 9}}).empty()) << "what follows " << one.what;
  }
}

TEST(Depacketiser, AUnitEndsWithItsMarkerOnly) {
  Receiver receiver;
  EXPECT_TRUE(receiver.push({0x10, 0x30, 1}, false).empty());
  receiver.timestamp += 3000;
  EXPECT_FALSE(receiver.push({0x10, 0x30, 1}, true).empty());
  EXPECT_TRUE(receiver.after_gap) << "the one without a marker is gone";
}

TEST(Depacketiser, AUnitHasABound) {
  Depacketiser depacketiser(1000);
  std::uint16_t sequence = 0;
  const Bytes begin = join({{0x50, 0x30}, Bytes(400, 1)});
  const Bytes more = join({{0xD0}, Bytes(400, 1)});
  EXPECT_TRUE(depacketiser.push({sequence++, 1, false, begin}).bytes.empty());
  EXPECT_TRUE(depacketiser.push({sequence++, 1, false, more}).bytes.empty());
  EXPECT_EQ(depacketiser.stats().broken_units, 0U);
  EXPECT_TRUE(depacketiser.push({sequence++, 1, false, more}).bytes.empty());
  EXPECT_EQ(depacketiser.stats().broken_units, 1U);
  EXPECT_TRUE(depacketiser.push({sequence++, 1, true, more}).bytes.empty());
  EXPECT_FALSE(depacketiser.push({sequence++, 2, true, Bytes{0x10, 0x30, 1}}).bytes.empty());
}

TEST(Depacketiser, ProbesAreNoPacketsOfAUnit) {
  Receiver receiver;
  EXPECT_TRUE(receiver.push({0x50, 0x30, 1}, false).empty());
  EXPECT_TRUE(receiver.push({}, true).empty());
  EXPECT_FALSE(receiver.push({0x90, 2}, true).empty());
}

}  // namespace
}  // namespace sotto::rtc::av1
