// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/rtc/av1/packetiser.h"

#include <algorithm>

namespace sotto::rtc::av1 {
namespace {

constexpr std::size_t kMostCounted = 3;  // What W can say.
constexpr std::size_t kLeastBegun = 2;   // Bytes of an OBU that are worth a place.

std::size_t with_size(std::size_t size) { return leb128(size).size + size; }

// What a packet has left for one more part when `used` bytes, sizes included, are in it.
std::size_t room(std::size_t max_payload, std::size_t used, std::size_t parts) {
  if (used + 1 >= max_payload) return 0;
  const auto left = max_payload - 1 - used;
  if (parts < kMostCounted) return left;
  return left - std::min(left, leb128(left).size);
}

}  // namespace

bool Packetiser::read(ByteView unit) {
  items_.clear();
  keyframe_ = false;
  if (unit.size() > kMaxUnitBytes) return false;
  std::optional<unsigned> layer;
  while (!unit.empty()) {
    const auto read = read_obu(unit);
    if (!read) return false;
    unit = unit.subspan(read->bytes);
    const auto type = read->obu.type();
    if (type == kTemporalDelimiter || type == kTileList) continue;
    keyframe_ = keyframe_ || type == kSequenceHeader;
    if (read->obu.has_extension()) layer = read->obu.extension >> 3U;
    items_.push_back({read->obu, layer});
  }
  return !items_.empty();
}

// A packet holds OBUs of one layer only (section 4.4).
bool Packetiser::ends_layer(std::size_t item) const {
  if (item + 1 == items_.size()) return true;
  const auto& layer = items_[item].layer;
  return layer && items_[item + 1].layer != layer;
}

void Packetiser::close(bool goes_on) {
  Packet packet{};
  packet.first = open_;
  packet.count = parts_.size() - open_;
  const bool counted = packet.count <= kMostCounted;
  packet.size = 1;
  for (auto i = open_; i < parts_.size(); ++i) {
    const bool sized = !counted || i + 1 < parts_.size();
    packet.size += sized ? with_size(parts_[i].size) : parts_[i].size;
  }
  if (parts_[open_].from != 0) packet.aggregation |= kContinues;
  if (goes_on) packet.aggregation |= kGoesOn;
  if (counted) packet.aggregation |= static_cast<std::uint8_t>(packet.count << 4U);
  if (packets_.empty() && keyframe_) packet.aggregation |= kNewSequence;
  packets_.push_back(packet);
  open_ = parts_.size();
}

bool Packetiser::cut(ByteView unit, std::size_t max_payload) {
  parts_.clear();
  packets_.clear();
  open_ = 0;
  if (max_payload < kMinPayload || !read(unit)) return false;
  std::size_t used = 0;
  for (std::size_t i = 0; i < items_.size(); ++i) {
    const bool last = ends_layer(i);
    for (std::size_t from = 0; from < items_[i].size();) {
      const auto rest = items_[i].size() - from;
      const auto parts = parts_.size() - open_;
      const auto left = room(max_payload, used, parts);
      const bool fits = rest <= left;
      // Where the OBU would fit and the next could not begin behind it, its last byte waits.
      const bool alone =
          fits && !last && room(max_payload, used + with_size(rest), parts + 1) < kLeastBegun;
      const auto size = !fits ? left : alone && rest > 1 ? rest - 1 : rest;
      parts_.push_back({i, from, size});
      from += size;
      used += with_size(size);
      const bool goes_on = from < items_[i].size();
      if (goes_on || last || alone) {
        close(goes_on);
        used = 0;
      }
    }
  }
  return true;
}

void Packetiser::write(std::size_t packet, std::uint8_t* out) const {
  const auto& plan = packets_[packet];
  *out++ = plan.aggregation;
  for (std::size_t i = 0; i < plan.count; ++i) {
    const auto& part = parts_[plan.first + i];
    if (plan.count > kMostCounted || i + 1 < plan.count) {
      const auto size = leb128(part.size);
      out = std::copy_n(size.bytes.begin(), size.size, out);
    }
    const auto& obu = items_[part.item].obu;
    const std::array<std::uint8_t, 2> header = {
        static_cast<std::uint8_t>(obu.header & ~kObuHasSize), obu.extension};
    auto from = part.from;
    auto left = part.size;
    for (; from < obu.header_size() && left > 0; ++from, --left) *out++ = header[from];
    const auto payload = obu.payload.subspan(left == 0 ? 0 : from - obu.header_size(), left);
    out = std::copy(payload.begin(), payload.end(), out);
  }
}

}  // namespace sotto::rtc::av1
