// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/rtc/av1/depacketiser.h"

#include "core/rtc/rtp/sequence.h"

#include <array>
#include <utility>

namespace sotto::rtc::av1 {
namespace {

constexpr std::array<std::uint8_t, 2> kDelimiter = {0x12, 0x00};
// RFC 3550, A.1: a number further back than this is not a late packet but a sender that restarted.
constexpr int kMaxMisorder = 100;

// An OBU as it stands in a payload: without a size, or with one that says what is known already.
std::optional<Obu> parse_whole(ByteView bytes) {
  const auto read = read_obu(bytes);
  if (!read || read->bytes != bytes.size()) return std::nullopt;
  return read->obu;
}

// False for the payload of a packet that cannot be the first of its unit.
bool may_begin(ByteView payload) {
  if (payload.size() < 2 || (payload[0] & kContinues) != 0) return false;
  auto element = payload.subspan(1);
  if (count_of(payload[0]) != 1) {
    const auto size = read_leb128(element);
    if (!size || size->bytes >= element.size()) return false;
    element = element.subspan(size->bytes);
  }
  constexpr unsigned kTileGroup = 4;
  constexpr unsigned kRedundantFrameHeader = 7;
  const auto type = (element[0] >> 3U) & 0x0FU;
  return type != kTileGroup && type != kRedundantFrameHeader;
}

}  // namespace

void Depacketiser::reset() {
  if (open_) break_unit();
  open_ = started_ = false;
}

void Depacketiser::break_unit() {
  if (!broken_) ++stats_.broken_units;
  broken_ = gap_ = true;
  partial_ = false;
  unit_.clear();
  part_.clear();
}

// False: a duplicate or a latecomer, to be ignored.
bool Depacketiser::in_turn(std::uint16_t sequence) {
  const int ahead = started_ ? rtp::distance(next_, sequence) : 0;
  if (ahead < 0 && ahead >= -kMaxMisorder) {
    ++stats_.late_packets;
    return false;
  }
  if (ahead != 0) {
    gap_ = true;
    if (open_) break_unit();
  }
  follows_ = started_ && ahead == 0;
  started_ = true;
  next_ = static_cast<std::uint16_t>(sequence + 1);
  return true;
}

bool Depacketiser::finish_obu(ByteView bytes) {
  if (bytes.empty()) return true;  // An element may be empty; it says nothing.
  const auto obu = parse_whole(bytes);
  if (!obu) return false;
  if (obu->type() == kTemporalDelimiter || obu->type() == kTileList) return true;
  const auto size = leb128(obu->payload.size());
  if (obu->header_size() + size.size + obu->payload.size() > max_unit_ - unit_.size()) return false;
  keyframe_ = keyframe_ || obu->type() == kSequenceHeader;
  unit_.push_back(static_cast<std::uint8_t>(obu->header | kObuHasSize));
  if (obu->has_extension()) unit_.push_back(obu->extension);
  unit_.insert(unit_.end(), size.bytes.begin(),
               size.bytes.begin() + static_cast<std::ptrdiff_t>(size.size));
  unit_.insert(unit_.end(), obu->payload.begin(), obu->payload.end());
  return true;
}

bool Depacketiser::take(ByteView payload) {
  if (payload.size() < 2) return false;
  const bool continues = (payload[0] & kContinues) != 0;
  const bool goes_on = (payload[0] & kGoesOn) != 0;
  const unsigned count = count_of(payload[0]);
  const bool new_sequence = (payload[0] & kNewSequence) != 0;
  // Both ways: a part without its beginning, a beginning whose part does not follow.
  if (continues != partial_ || (new_sequence && continues)) return false;
  keyframe_ = keyframe_ || new_sequence;
  payload = payload.subspan(1);
  for (unsigned i = 1; !payload.empty(); ++i) {
    auto size = payload.size();
    if (i != count) {
      const auto read = read_leb128(payload);
      if (!read || read->value > payload.size() - read->bytes) return false;
      payload = payload.subspan(read->bytes);
      size = read->value;
    }
    const auto element = payload.first(size);
    payload = payload.subspan(size);
    const bool last = payload.empty();
    if (last && count != 0 && i != count) return false;  // Fewer than were counted.
    const bool first_part = last && goes_on;
    if (!partial_ && !first_part) {
      if (!finish_obu(element)) return false;
      continue;
    }
    if (element.size() > max_unit_ - part_.size()) return false;
    part_.insert(part_.end(), element.begin(), element.end());
    partial_ = first_part;
    if (partial_) continue;
    if (!finish_obu(part_)) return false;
    part_.clear();
  }
  return partial_ == goes_on;
}

void Depacketiser::begin(const RtpPayload& packet) {
  open_ = true;
  broken_ = keyframe_ = partial_ = false;
  timestamp_ = packet.timestamp;
  unit_.assign(kDelimiter.begin(), kDelimiter.end());
  part_.clear();
  // Without the packet before it this may be the middle of a unit. Where an OBU begins that is no
  // tile group nobody can tell; a packetiser that cuts within OBUs, as ours, leaves no such place.
  if (!follows_ && !may_begin(packet.bytes)) break_unit();
}

Depacketiser::Unit Depacketiser::push(const RtpPayload& packet) {
  if (!in_turn(packet.sequence)) return {};
  if (packet.bytes.empty()) return {};  // A probe of the sender's congestion control.
  if (open_ && packet.timestamp != timestamp_) {
    break_unit();  // Its last packet has to say that it is the last; this one begins another.
    open_ = false;
  }
  if (!open_) begin(packet);
  if (!broken_ && !take(packet.bytes)) {
    ++stats_.malformed_packets;
    break_unit();
  }
  if (!packet.marker) return {};
  open_ = false;
  if (!broken_ && (partial_ || unit_.size() == kDelimiter.size())) break_unit();
  if (broken_) return {};
  ++stats_.units;
  Unit unit;
  unit.bytes = unit_;
  unit.keyframe = keyframe_;
  unit.after_gap = std::exchange(gap_, false);
  return unit;
}

}  // namespace sotto::rtc::av1
