// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/rtc/rtp/report.h"

#include "core/rtc/rtp/packet.h"

#include <algorithm>

namespace sotto::rtc::rtp {
namespace {

constexpr std::uint8_t kSenderReport = 200;
constexpr std::uint8_t kReceiverReport = 201;
constexpr std::size_t kRtcpHeader = 4;
constexpr std::size_t kReporter = 4;     // SSRC.
constexpr std::size_t kSenderInfo = 20;  // NTP and RTP time, packets, bytes.
constexpr std::size_t kBlock = 24;

/// 24 bits with a sign.
std::int32_t load_i24(const std::uint8_t* in) {
  const std::uint32_t value =
      std::uint32_t{in[0]} << 16U | std::uint32_t{in[1]} << 8U | std::uint32_t{in[2]};
  return (value & 0x800000U) == 0 ? static_cast<std::int32_t>(value)
                                  : static_cast<std::int32_t>(value) - 0x1000000;
}

std::uint64_t positive(std::int32_t lost) { return static_cast<std::uint64_t>(std::max(lost, 0)); }

}  // namespace

std::vector<ReportBlock> find_report_blocks(ByteView rtcp) {
  std::vector<ReportBlock> blocks;
  std::size_t at = 0;
  while (rtcp.size() - at >= kRtcpHeader) {
    const std::size_t size = kRtcpHeader + std::size_t{4} * load_u16(&rtcp[at + 2]);
    if (rtcp[at] >> 6U != 2 || size > rtcp.size() - at) break;
    const std::uint8_t type = rtcp[at + 1];
    if (type == kSenderReport || type == kReceiverReport) {
      const std::size_t head =
          kRtcpHeader + kReporter + (type == kSenderReport ? kSenderInfo : std::size_t{0});
      const std::size_t count = rtcp[at] & 0x1FU;
      if (head + count * kBlock > size) break;
      for (std::size_t i = 0; i < count; ++i) {
        const std::uint8_t* block = &rtcp[at] + head + i * kBlock;
        blocks.push_back({load_u32(block), block[4], load_i24(block + 5)});
      }
    }
    at += size;
  }
  return blocks;
}

void LossBook::heard(const std::vector<ReportBlock>& blocks) {
  const std::lock_guard lock(mutex_);
  for (const auto& block : blocks) {
    if (newest_.count(block.ssrc) == 0 && newest_.size() >= kMaxStreams) continue;
    newest_[block.ssrc] = block;
  }
}

std::uint64_t LossBook::lost(std::uint32_t ssrc) const {
  const std::lock_guard lock(mutex_);
  const auto found = newest_.find(ssrc);
  return found == newest_.end() ? 0 : positive(found->second.lost);
}

std::uint64_t LossBook::lost() const {
  const std::lock_guard lock(mutex_);
  std::uint64_t sum = 0;
  for (const auto& [ssrc, block] : newest_) sum += positive(block.lost);
  return sum;
}

double LossBook::worst_fraction() const {
  const std::lock_guard lock(mutex_);
  std::uint8_t worst = 0;
  for (const auto& [ssrc, block] : newest_) worst = std::max(worst, block.fraction_lost);
  return worst / 256.0;
}

}  // namespace sotto::rtc::rtp
