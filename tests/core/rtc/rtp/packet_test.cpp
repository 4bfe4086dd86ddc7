// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// RTP headers: what is read from good packets, and that nothing is read beyond bad ones.
#include "core/rtc/rtp/packet.h"

#include "core/rtc/rtp/sequence.h"

#include <gtest/gtest.h>

#include <random>

namespace sotto::rtc::rtp {
namespace {

TEST(Packet, EveryFieldComesBack) {
  const Bytes packet = Builder{.marker = true,
                               .payload_type = 111,
                               .sequence = 65535,
                               .timestamp = 0xFFFFFFFE,
                               .ssrc = 0x01020304,
                               .csrcs = {5, 6},
                               .extensions = {{1, {9}}, {14, Bytes(16, 7)}},
                               .payload = {1, 2, 3},
                               .padding = 4}
                           .build();
  const auto header = parse(packet);
  ASSERT_TRUE(header);
  EXPECT_TRUE(header->marker);
  EXPECT_EQ(header->payload_type, 111);
  EXPECT_EQ(header->sequence, 65535);
  EXPECT_EQ(header->timestamp, 0xFFFFFFFEU);
  EXPECT_EQ(header->ssrc, 0x01020304U);
  EXPECT_EQ(header->extension_profile, 0xBEDE);
  const auto payload = payload_of(packet, *header);
  EXPECT_EQ(Bytes(payload.begin(), payload.end()), (Bytes{1, 2, 3}));
  EXPECT_EQ(find_extension(packet, *header, 1)[0], 9);
  EXPECT_EQ(find_extension(packet, *header, 14).size(), 16U);
  EXPECT_TRUE(find_extension(packet, *header, 2).empty());
}

TEST(Packet, LargeIdsAndValuesTakeTheTwoByteForm) {
  for (const auto& [id, value] : {std::pair<std::uint8_t, Bytes>{200, {1}}, {3, Bytes(17, 1)}}) {
    const Bytes packet = Builder{.extensions = {{id, value}, {1, {4}}}, .payload = {0}}.build();
    const auto header = parse(packet);
    ASSERT_TRUE(header);
    EXPECT_EQ(header->extension_profile, 0x1000);
    EXPECT_EQ(find_extension(packet, *header, id).size(), value.size());
    EXPECT_EQ(find_extension(packet, *header, 1)[0], 4);
  }
}

TEST(Packet, PaddingOnlyIsAPacketWithoutPayload) {
  const Bytes packet = Builder{.padding = 255}.build();
  const auto header = parse(packet);
  ASSERT_TRUE(header);
  EXPECT_EQ(header->payload_size, 0U);
}

TEST(Packet, WhatDoesNotFitIsRefused) {
  const Bytes good = Builder{.csrcs = {1}, .extensions = {{1, {1}}}, .payload = {7}}.build();
  ASSERT_TRUE(parse(good));
  const std::size_t headers = good.size() - 1;
  for (std::size_t size = 0; size < headers; ++size) {
    EXPECT_FALSE(parse(ByteView(good).first(size))) << size;
  }
  Bytes version = good;
  version[0] = static_cast<std::uint8_t>(version[0] & 0x3FU) | 0x40U;
  EXPECT_FALSE(parse(version));
  Bytes padding = Builder{.payload = {1, 2}}.build();
  padding[0] |= 0x20U;
  for (const int count : {0, 3, 255}) {
    padding.back() = static_cast<std::uint8_t>(count);
    EXPECT_FALSE(parse(padding)) << count;
  }
  EXPECT_FALSE(parse(Bytes(kMaxPacketBytes + 1, 0x80)));
}

TEST(Packet, ExtensionElementsThatOverrunEndTheList) {
  Bytes packet = Builder{.extensions = {{1, {1, 2, 3}}}, .payload = {7}}.build();
  packet[16] = 0x1F;  // Sixteen bytes where three are.
  const auto header = parse(packet);
  ASSERT_TRUE(header);
  EXPECT_FALSE(for_each_extension(packet, *header, [](const Extension&) { FAIL(); }));
  packet[16] = 0xF0;  // Reserved: no error, and nothing after it.
  EXPECT_TRUE(for_each_extension(packet, *header, [](const Extension&) { FAIL(); }));
}

TEST(Packet, NoMutationReadsOutside) {
  // The sanitizers are the judge; here every part must lie within the packet.
  std::mt19937 random(1);
  const std::vector<Bytes> seeds = {
      Builder{.payload = {1, 2, 3}}.build(),
      Builder{.csrcs = {1, 2, 3}, .extensions = {{1, {1}}, {2, {1, 2}}}, .payload = {1}}.build(),
      Builder{.extensions = {{100, Bytes(40, 3)}}, .payload = Bytes(20, 1), .padding = 3}.build()};
  int accepted = 0;
  for (int round = 0; round < 50'000; ++round) {
    Bytes packet = seeds[random() % seeds.size()];
    packet.resize(random() % (packet.size() + 8));
    for (auto flips = random() % 4; flips > 0 && !packet.empty(); --flips) {
      packet[random() % packet.size()] = static_cast<std::uint8_t>(random());
    }
    packet.shrink_to_fit();
    const auto header = parse(packet);
    if (!header) continue;
    ++accepted;
    EXPECT_LE(header->payload_offset + header->payload_size, packet.size());
    for_each_extension(packet, *header, [&](const Extension& extension) {
      EXPECT_GE(extension.value.data(), packet.data());
      EXPECT_LE(extension.value.data() + extension.value.size(), packet.data() + packet.size());
    });
  }
  EXPECT_GT(accepted, 1000);
}

TEST(Sequence, NewerIsTheShorterWayRound) {
  EXPECT_TRUE(newer<std::uint16_t>(0, 65535));
  EXPECT_FALSE(newer<std::uint16_t>(65535, 0));
  EXPECT_FALSE(newer<std::uint16_t>(5, 5));
  EXPECT_EQ(distance<std::uint16_t>(65530, 4), 10);
  EXPECT_EQ(distance<std::uint32_t>(3, 0xFFFFFFFF), -4);
}

TEST(Sequence, UnwrappedNumbersNeverJumpBack) {
  Unwrapper<std::uint16_t> unwrapper;
  std::int64_t expected = 65000;
  for (int i = 0; i < 200'000; i += 7) {
    EXPECT_EQ(unwrapper.unwrap(static_cast<std::uint16_t>(65000 + i)), expected);
    expected += 7;
  }
  EXPECT_EQ(unwrapper.unwrap(static_cast<std::uint16_t>(expected - 17)), expected - 17);
}

}  // namespace
}  // namespace sotto::rtc::rtp
