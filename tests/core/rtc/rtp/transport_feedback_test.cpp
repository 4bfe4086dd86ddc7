// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// Transport-wide feedback as browsers and GStreamer write it, and as an attacker might.
#include "core/rtc/rtp/transport_feedback.h"

#include "core/rtc/rtp/packet.h"

#include <gtest/gtest.h>

#include <random>

namespace sotto::rtc::rtp {
namespace {

using namespace std::chrono_literals;

/// An RTCP packet of transport-layer feedback around this body.
Bytes message(Bytes body, std::uint8_t format = 15) {
  std::uint8_t padding = 0;
  while ((body.size() + padding) % 4 != 0) ++padding;
  for (std::uint8_t i = 1; i <= padding; ++i) body.push_back(i == padding ? padding : 0);
  const auto words = static_cast<std::uint8_t>(2 + body.size() / 4);
  Bytes packet = {static_cast<std::uint8_t>(0x80U | (padding != 0 ? 0x20U : 0U) | format),
                  205,
                  0,
                  words,
                  0,
                  0,
                  0,
                  1,
                  0,
                  0,
                  0,
                  2};
  packet.insert(packet.end(), body.begin(), body.end());
  return packet;
}

// Base 65534, five packets, reference time 2 x 64 ms, message 9.
Bytes head(std::uint8_t count = 5) { return {0xFF, 0xFE, 0, count, 0, 0, 2, 9}; }

Bytes with(Bytes front, const Bytes& rest) {
  front.insert(front.end(), rest.begin(), rest.end());
  return front;
}

TEST(TransportFeedback, ReadsAVectorOfTwoBitSymbols) {
  // 11 | 01 10 00 01 01 00 00: small, large, lost, small, small.
  const Bytes body = with(head(), {0xD8, 0x50, 4, 0xFF, 0xF8, 0, 40});
  const auto scan = find_transport_feedback(message(body));
  ASSERT_EQ(scan.messages.size(), 1U);
  EXPECT_TRUE(scan.only);
  const auto& packets = scan.messages[0].packets;
  EXPECT_EQ(scan.messages[0].count, 9);
  ASSERT_EQ(packets.size(), 5U);
  EXPECT_EQ(packets[0].sequence, 65534);
  EXPECT_EQ(packets[2].sequence, 0) << "numbers wrap";
  EXPECT_EQ(packets[0].arrival, 129ms);
  EXPECT_EQ(packets[1].arrival, 127ms) << "two milliseconds before the one before";
  EXPECT_FALSE(packets[2].arrival);
  EXPECT_EQ(packets[3].arrival, 127ms);
  EXPECT_EQ(packets[4].arrival, 137ms);
}

TEST(TransportFeedback, ReadsRunsAndVectorsOfOneBit) {
  // A run of three lost, then 10 | 1 0 …: received, lost.
  const auto scan = find_transport_feedback(message(with(head(), {0, 3, 0xA0, 0, 8})));
  ASSERT_EQ(scan.messages.size(), 1U);
  const auto& packets = scan.messages[0].packets;
  EXPECT_FALSE(packets[0].arrival || packets[1].arrival || packets[2].arrival);
  EXPECT_EQ(packets[3].arrival, 130ms);
  EXPECT_FALSE(packets[4].arrival);
}

TEST(TransportFeedback, IsFoundInACompoundPacketBesideOthers) {
  Bytes compound = {0x80, 201, 0, 1, 0, 0, 0, 1};  // An empty receiver report.
  compound = with(compound, message(with(head(1), {0x20, 1, 4})));
  compound = with(compound, message({0, 7, 0, 0}, 1));  // A NACK.
  const auto scan = find_transport_feedback(compound);
  EXPECT_EQ(scan.messages.size(), 1U);
  EXPECT_FALSE(scan.only) << "somebody else must see the rest";
  EXPECT_FALSE(find_transport_feedback({}).only);
}

TEST(TransportFeedback, RefusesWhatDoesNotAddUp) {
  const Bytes good = with(head(1), {0x20, 1, 4});
  ASSERT_EQ(find_transport_feedback(message(good)).messages.size(), 1U);
  for (const Bytes& bad : {
           Bytes{}, head(0), head(),           // Nothing, no packets, no chunks.
           with(head(1), {0x20}),              // Half a chunk.
           with(head(1), {0x20, 0, 0x20, 1}),  // An empty run: would never end.
           with(head(3), {0x20, 3, 1}),        // Two times missing.
           with(head(1), {0x40, 1, 1}),        // Half a time.
           with(head(1), {0x60, 1, 4}),        // A reserved symbol.
           with({0, 0, 0xFF, 0xFF, 0, 0, 2, 9}, {0x1F, 0xFF, 0x1F, 0xFF}),  // 65535 packets.
       }) {
    EXPECT_TRUE(find_transport_feedback(message(bad)).messages.empty()) << to_hex(bad);
  }
}

TEST(TransportFeedback, MutationsAreReadInBoundsOrNotAtAll) {
  std::mt19937 random(7);
  const Bytes good = message(with(head(), {0xD8, 0x50, 4, 0xFF, 0xF8, 0, 40}));
  std::size_t read = 0;
  for (int i = 0; i < 20'000; ++i) {
    Bytes bytes = with(good, good);
    for (int k = 0; k < 3; ++k)
      bytes[random() % bytes.size()] = static_cast<std::uint8_t>(random());
    bytes.resize(random() % (bytes.size() + 1));
    const Bytes exact(bytes);  // AddressSanitizer sees a byte too far.
    for (const auto& feedback : find_transport_feedback(exact).messages) {
      EXPECT_LE(feedback.packets.size(), kMaxFeedbackPackets);
      ++read;
    }
  }
  EXPECT_GT(read, 1000U);
}

}  // namespace
}  // namespace sotto::rtc::rtp
