// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// One source's packet in one viewer's terms.
#include "core/rtc/fanout/rewrite.h"

#include "core/rtc/rtp/packet.h"

#include <gtest/gtest.h>

#include <random>

namespace sotto::rtc {
namespace {

Bytes applied(const Rewrite& rewrite, ByteView packet, std::size_t index = 0) {
  Bytes out(packet.size());
  out.resize(rewrite.apply(packet, index, out));
  return out;
}

Rewrite viewer() {
  Rewrite rewrite;
  rewrite.payload_type = 102;
  rewrite.ssrc = 0xAABBCCDD;
  rewrite.first_sequence = 65534;
  rewrite.rtp_time = 123456;
  return rewrite;
}

TEST(RewriteHeader, OnlyTheViewersFieldsChange) {
  const Bytes source = rtp::Builder{.marker = true,
                                    .payload_type = 96,
                                    .sequence = 7,
                                    .timestamp = 8,
                                    .ssrc = 9,
                                    .csrcs = {77},
                                    .payload = {1, 2, 3},
                                    .padding = 4}
                           .build();
  const Bytes expected = rtp::Builder{.marker = true,
                                      .payload_type = 102,
                                      .sequence = 1,
                                      .timestamp = 123456,
                                      .ssrc = 0xAABBCCDD,
                                      .csrcs = {77},
                                      .payload = {1, 2, 3},
                                      .padding = 4}
                             .build();
  EXPECT_EQ(applied(viewer(), source, 3), expected) << "65534 + 3 wraps to 1";
}

TEST(RewriteExtensions, IdsAreMappedAndOthersBlanked) {
  Rewrite rewrite = viewer();
  rewrite.extensions[3] = 5;
  rewrite.extensions[4] = 1;
  const Bytes source = rtp::Builder{
      .extensions = {{3, {30, 31}}, {7, {70}}, {4, {40, 41, 42}}},
      .payload = {9, 9}}.build();
  const Bytes out = applied(rewrite, source);
  ASSERT_EQ(out.size(), source.size());
  const auto header = rtp::parse(out);
  ASSERT_TRUE(header);
  EXPECT_EQ(rtp::find_extension(out, *header, 5)[1], 31);
  EXPECT_EQ(rtp::find_extension(out, *header, 1).size(), 3U);
  int count = 0;
  EXPECT_TRUE(rtp::for_each_extension(out, *header, [&](const auto&) { ++count; }));
  EXPECT_EQ(count, 2) << "the viewer did not agree to 7";
  EXPECT_EQ(std::count(out.begin(), out.end(), 70), 0) << "nor does it see the bytes";
  EXPECT_EQ(rtp::payload_of(out, *header)[1], 9);
}

Bytes with_added(const Rewrite& rewrite, ByteView packet, const AddedExtension& added) {
  Bytes out(packet.size() + AddedExtension::kMaxGrowth);
  out.resize(rewrite.apply(packet, 0, out, added));
  return out;
}

rtp::Builder seen_by_viewer() {
  return {.payload_type = 102, .sequence = 65534, .timestamp = 123456, .ssrc = 0xAABBCCDD};
}

TEST(RewriteExtensions, OneOfOursJoinsAPacketWithoutAny) {
  const Bytes value = {0x12, 0x34};
  const Bytes source = rtp::Builder{.csrcs = {5}, .payload = {1, 2, 3}, .padding = 2}.build();
  auto expected = seen_by_viewer();
  expected.csrcs = {5};
  expected.extensions = {{3, value}};
  expected.payload = {1, 2, 3};
  expected.padding = 2;
  EXPECT_EQ(with_added(viewer(), source, {3, value}), expected.build());
}

TEST(RewriteExtensions, OneOfOursReplacesThoseNotAgreedTo) {
  const Bytes value = {0x12, 0x34};
  const Bytes source =
      rtp::Builder{.extensions = {{3, {30, 31, 32, 33, 34}}}, .payload = {7}}.build();
  auto expected = seen_by_viewer();
  expected.extensions = {{3, value}};
  expected.payload = {7};
  EXPECT_EQ(with_added(viewer(), source, {3, value}), expected.build());
}

TEST(RewriteExtensions, OneOfOursStandsBesideThoseKeptInEitherForm) {
  const Bytes value = {0x12, 0x34};
  Rewrite rewrite = viewer();
  rewrite.extensions[4] = 6;
  for (const std::size_t size : {3U, 17U}) {  // 17 bytes need the two-byte form.
    const Bytes kept(size, 0x41);
    const Bytes source = rtp::Builder{.extensions = {{4, kept}}, .payload = {7, 8}}.build();
    const Bytes out = with_added(rewrite, source, {3, value});
    const auto header = rtp::parse(out);
    ASSERT_TRUE(header) << size;
    const auto ours = rtp::find_extension(out, *header, 3);
    const auto theirs = rtp::find_extension(out, *header, 6);
    EXPECT_EQ(Bytes(ours.begin(), ours.end()), value) << size;
    EXPECT_EQ(Bytes(theirs.begin(), theirs.end()), kept) << size;
    const auto payload = rtp::payload_of(out, *header);
    EXPECT_EQ(Bytes(payload.begin(), payload.end()), (Bytes{7, 8})) << size;
  }
}

TEST(RewriteExtensions, WhatDoesNotFitIsNotWritten) {
  const Bytes value = {0x12, 0x34};
  const Bytes source = rtp::Builder{.payload = {1}}.build();
  Bytes tight(source.size() + AddedExtension::kMaxGrowth - 1);
  EXPECT_EQ(viewer().apply(source, 0, tight, {3, value}), 0U);
  EXPECT_EQ(with_added(viewer(), source, {15, value}).size(), source.size()) << "15 is reserved";
  EXPECT_EQ(with_added(viewer(), source, {3, Bytes(9)}).size(), source.size()) << "too long";
}

TEST(RewriteExtensions, NothingLeftTakesTheExtensionAway) {
  const Bytes source =
      rtp::Builder{.csrcs = {5}, .extensions = {{3, {30, 31}}}, .payload = {1, 2, 3}}.build();
  const Bytes expected = rtp::Builder{
      .payload_type = 102,
      .sequence = 65534,
      .timestamp = 123456,
      .ssrc = 0xAABBCCDD,
      .csrcs = {5},
      .payload = {1, 2, 3}}.build();
  EXPECT_EQ(applied(viewer(), source), expected);
}

TEST(RewriteExtensions, TheTwoByteFormIsMappedToo) {
  Rewrite rewrite = viewer();
  rewrite.extensions[2] = 15;
  const Bytes source =
      rtp::Builder{.extensions = {{2, Bytes(20, 1)}, {200, {2}}}, .payload = {1}}.build();
  const Bytes out = applied(rewrite, source);
  const auto header = rtp::parse(out);
  ASSERT_TRUE(header);
  EXPECT_EQ(rtp::find_extension(out, *header, 15).size(), 20U);
  EXPECT_TRUE(rtp::find_extension(out, *header, 200).empty());
}

TEST(RewriteExtensions, ForeignProfilesAreTakenAway) {
  Bytes source = rtp::Builder{.extensions = {{1, {1}}}, .payload = {4}}.build();
  source[12] = 0xAB;  // An ONVIF camera's replay header, for one: 0xABAC.
  source[13] = 0xAC;
  const auto out = applied(viewer(), source);
  const auto header = rtp::parse(out);
  ASSERT_TRUE(header);
  EXPECT_EQ(header->extension_profile, 0);
  EXPECT_EQ(header->payload_size, 1U);
}

TEST(RewriteMalformed, IsRefusedAndNeverWritesBeyond) {
  EXPECT_TRUE(applied(viewer(), Bytes(11, 0x80)).empty());
  EXPECT_TRUE(applied(viewer(), Bytes(12, 0x40)).empty()) << "version 1";
  EXPECT_TRUE(applied(viewer(), Bytes(12, 0x90)).empty()) << "extension cut off";
  const Bytes good = rtp::Builder{.payload = {1}}.build();
  Bytes small(good.size() - 1);
  EXPECT_EQ(viewer().apply(good, 0, small), 0U);

  std::mt19937 random(4);
  Rewrite rewrite = viewer();
  for (std::size_t id = 0; id < rewrite.extensions.size(); ++id) {
    rewrite.extensions[id] = static_cast<std::uint8_t>(id % 3 == 0 ? 0 : 15 - id);
  }
  for (int round = 0; round < 50'000; ++round) {
    Bytes packet = rtp::Builder{
        .csrcs = {1},
        .extensions = {{static_cast<std::uint8_t>(random() % 40), {1, 2}}, {2, {3}}},
        .payload = {1, 2,
                    3}}.build();
    for (auto flips = random() % 4; flips > 0; --flips) {
      packet[random() % packet.size()] = static_cast<std::uint8_t>(random());
    }
    packet.resize(random() % packet.size());
    packet.shrink_to_fit();
    const Bytes out = applied(rewrite, packet);
    ASSERT_LE(out.size(), packet.size());
    if (rtp::parse(packet)) {
      ASSERT_TRUE(rtp::parse(out));
    }
  }
}

}  // namespace
}  // namespace sotto::rtc
