// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/rtc/rtp/report.h"

#include "core/rtc/rtp/packet.h"

#include <gtest/gtest.h>

namespace sotto::rtc::rtp {
namespace {

/// A sender (200) or receiver report (201), with `lost` in 24 bits and a sign.
Bytes report(std::uint8_t type, const std::vector<ReportBlock>& blocks) {
  const std::size_t size = (type == 200 ? 28U : 8U) + blocks.size() * 24U;
  Bytes packet(size);
  packet[0] = static_cast<std::uint8_t>(0x80U | blocks.size());
  packet[1] = type;
  store_u16(&packet[2], static_cast<std::uint16_t>(size / 4 - 1));
  std::uint8_t* at = packet.data() + (type == 200 ? 28 : 8);
  for (const auto& block : blocks) {
    store_u32(at, block.ssrc);
    store_u32(at + 4, std::uint32_t{block.fraction_lost} << 24U |
                          (static_cast<std::uint32_t>(block.lost) & 0xFFFFFFU));
    at += 24;
  }
  return packet;
}

TEST(Reports, EveryBlockOfEveryReportIsRead) {
  Bytes compound = report(201, {{1, 128, 70'000}, {2, 0, -3}});
  const Bytes other = {0x81, 206, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2};  // PLI.
  compound.insert(compound.end(), other.begin(), other.end());
  const Bytes of_sender = report(200, {{3, 255, 5}});
  compound.insert(compound.end(), of_sender.begin(), of_sender.end());
  const auto blocks = find_report_blocks(compound);
  ASSERT_EQ(blocks.size(), 3U);
  EXPECT_EQ(blocks[0].ssrc, 1U);
  EXPECT_EQ(blocks[0].fraction_lost, 128);
  EXPECT_EQ(blocks[0].lost, 70'000);
  EXPECT_EQ(blocks[1].lost, -3);
  EXPECT_EQ(blocks[2].ssrc, 3U);
  EXPECT_EQ(blocks[2].fraction_lost, 255);
}

TEST(Reports, WhatDoesNotFitIsNotRead) {
  const Bytes good = report(201, {{1, 1, 1}, {2, 2, 2}});
  for (std::size_t size = 0; size < good.size(); ++size) {
    EXPECT_TRUE(find_report_blocks(ByteView(good).first(size)).empty()) << size;
  }
  Bytes more = good;
  more[0] = 0x83;  // Three blocks, it says.
  EXPECT_TRUE(find_report_blocks(more).empty());
  Bytes version = good;
  version[0] = 0x42;
  EXPECT_TRUE(find_report_blocks(version).empty());
  Bytes sender = good;
  sender[1] = 200;  // A sender report has 20 bytes more before its blocks.
  EXPECT_TRUE(find_report_blocks(sender).empty());
}

TEST(Reports, TheBookKeepsTheNewestOfEachStream) {
  LossBook book;
  EXPECT_EQ(book.lost(), 0U);
  EXPECT_EQ(book.worst_fraction(), 0);
  book.heard({{1, 64, 10}, {2, 0, 0}});
  EXPECT_EQ(book.lost(1), 10U) << "although another block followed";
  EXPECT_EQ(book.lost(2), 0U);
  EXPECT_DOUBLE_EQ(book.worst_fraction(), 0.25);
  book.heard({{2, 128, 4}});
  EXPECT_EQ(book.lost(), 14U);
  EXPECT_DOUBLE_EQ(book.worst_fraction(), 0.5);
  book.heard({{1, 0, 11}, {2, 0, -1}});
  EXPECT_EQ(book.lost(), 11U) << "duplicates make up for nothing";
  EXPECT_EQ(book.worst_fraction(), 0);
}

TEST(Reports, TheBookIsBounded) {
  LossBook book;
  for (std::uint32_t ssrc = 0; ssrc < 2 * LossBook::kMaxStreams; ++ssrc) {
    book.heard({{ssrc, 0, 1}});
  }
  EXPECT_EQ(book.lost(), LossBook::kMaxStreams);
  book.heard({{0, 0, 5}});
  EXPECT_EQ(book.lost(0), 5U) << "those it knows go on";
}

}  // namespace
}  // namespace sotto::rtc::rtp
