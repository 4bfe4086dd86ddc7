// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/e2ee/shim.h"

#include "core/e2ee/nal.h"
#include "core/rtc/av1/obu.h"

#include <algorithm>

namespace sotto::e2ee {
namespace {

using rtc::av1::kObuHasExtension;
using rtc::av1::kObuHasSize;
using rtc::av1::read_leb128;

// rtpvp8pay decodes up to 16 bits behind the frame's own header; zeros read as one partition.
constexpr std::size_t kVp8Zeros = 4;
constexpr std::size_t kVp8Key = 10;
constexpr std::size_t kVp8Delta = 3;
constexpr std::size_t kVp9Key = 10;
constexpr std::size_t kVp9Delta = 1;

constexpr std::size_t kNalShim = 3;
using NalShim = std::array<std::uint8_t, kNalShim>;
// A slice header's beginning each: first_mb_in_slice (H.264) and first_slice_segment_in_pic_flag
// (H.265) have to read as "first of its picture".
constexpr NalShim kH264Key = {0x65, 0x88, 0x80};
constexpr NalShim kH264Delta = {0x41, 0x9A, 0x20};
constexpr NalShim kH265Key = {0x26, 0x01, 0xAF};
constexpr NalShim kH265Delta = {0x02, 0x01, 0xD0};

constexpr std::uint8_t kObuSequence = 0x0A;  // Type 1, with its size.
constexpr std::uint8_t kObuFrame = 0x32;     // Type 6, with its size.

Shim make_shim(ByteView bytes, bool keyframe) {
  Shim shim;
  std::copy(bytes.begin(), bytes.end(), shim.bytes.begin());
  shim.size = bytes.size();
  shim.keyframe = keyframe;
  return shim;
}

bool vp8_key(std::uint8_t first) { return (first & 0x01U) == 0; }
bool vp9_key(std::uint8_t first) { return (first & 0x0CU) == 0; }

std::optional<Shim> vp8(ByteView frame) {
  if (frame.empty()) return std::nullopt;
  const bool key = vp8_key(frame[0]);
  const auto clear = key ? kVp8Key : kVp8Delta;
  if (frame.size() < clear) return std::nullopt;
  auto shim = make_shim(frame.first(clear), key);
  shim.size += kVp8Zeros;  // They are zero already.
  return shim;
}

std::optional<Shim> vp9(ByteView frame) {
  if (frame.empty()) return std::nullopt;
  const bool key = vp9_key(frame[0]);
  const auto clear = key ? kVp9Key : kVp9Delta;
  if (frame.size() < clear) return std::nullopt;
  return make_shim(frame.first(clear), key);
}

unsigned type_of(Codec codec, ByteView unit) {
  return codec == Codec::kH264 ? unit[0] & 0x1FU : (unit[0] >> 1U) & 0x3FU;
}

bool is_slice(Codec codec, unsigned type) {
  return codec == Codec::kH264 ? type >= 1 && type <= 5 : type < 32;
}

bool is_key_slice(Codec codec, unsigned type) {
  // H.265: IDR, BLA and CRA pictures.
  return codec == Codec::kH264 ? type == 5 : type >= 16 && type <= 21;
}

Shim nal_shim(Codec codec, bool key) {
  if (codec == Codec::kH264) return make_shim(key ? kH264Key : kH264Delta, key);
  return make_shim(key ? kH265Key : kH265Delta, key);
}

std::optional<Shim> nal(Codec codec, ByteView frame) {
  NalReader reader(frame);
  if (reader.rest().empty()) return std::nullopt;
  do {
    const auto type = type_of(codec, reader.rest());
    // The first slice tells: in one access unit all are of a kind. The rest is not even looked for.
    if (is_slice(codec, type)) return nal_shim(codec, is_key_slice(codec, type));
  } while (reader.next() && !reader.rest().empty());
  return nal_shim(codec, false);
}

std::optional<Shim> av1(ByteView unit) {
  if (unit.empty()) return std::nullopt;
  bool key = false;
  while (!unit.empty()) {
    const auto header = unit[0];
    if ((header & 0x80U) != 0) return std::nullopt;  // obu_forbidden_bit
    key = key || ((header >> 3U) & 0x0FU) == 1;
    const std::size_t before = (header & kObuHasExtension) != 0 ? 2 : 1;
    if ((header & kObuHasSize) == 0) break;  // The last, to the end.
    if (unit.size() < before) return std::nullopt;
    const auto size = read_leb128(unit.subspan(before));
    if (!size || size->value > unit.size() - before - size->bytes) return std::nullopt;
    unit = unit.subspan(before + size->bytes + size->value);
  }
  const std::uint8_t header = key ? kObuSequence : kObuFrame;
  return make_shim({&header, 1}, key);
}

std::optional<Split> split_av1(ByteView sealed) {
  constexpr std::array<std::uint8_t, 2> kDelimiter = {0x12, 0x00};
  if (sealed.size() >= 2 && std::equal(kDelimiter.begin(), kDelimiter.end(), sealed.begin())) {
    sealed = sealed.subspan(2);
  }
  if (sealed.empty()) return std::nullopt;
  // With or without its size: depacketisers put it in or leave it out.
  const auto header = static_cast<std::uint8_t>(sealed[0] | kObuHasSize);
  if (header != kObuSequence && header != kObuFrame) return std::nullopt;
  auto body = sealed.subspan(1);
  if ((sealed[0] & kObuHasSize) != 0) {
    const auto size = read_leb128(body);
    if (!size || size->value != body.size() - size->bytes) return std::nullopt;
    body = body.subspan(size->bytes);
  }
  return Split{make_shim({&header, 1}, header == kObuSequence), body};
}

}  // namespace

std::string_view name_of(Codec codec) {
  switch (codec) {
    case Codec::kVp8: return "vp8";
    case Codec::kVp9: return "vp9";
    case Codec::kH264: return "h264";
    case Codec::kH265: return "h265";
    case Codec::kAv1: return "av1";
    case Codec::kOpus: return "opus";
  }
  return "";
}

bool has_nal_units(Codec codec) { return codec == Codec::kH264 || codec == Codec::kH265; }

bool is_parameter_set(Codec codec, ByteView unit) {
  const auto type = type_of(codec, unit);
  return codec == Codec::kH264 ? type == 7 || type == 8 : type >= 32 && type <= 34;
}

bool is_passed_over(Codec codec, ByteView unit) {
  const auto type = type_of(codec, unit);
  if (codec == Codec::kH264) return type >= 6 && type <= 9;
  return (type >= 32 && type <= 35) || type == 39 || type == 40;
}

std::optional<Shim> shim_of(Codec codec, ByteView frame) {
  switch (codec) {
    case Codec::kVp8: return vp8(frame);
    case Codec::kVp9: return vp9(frame);
    case Codec::kH264:
    case Codec::kH265: return nal(codec, frame);
    case Codec::kAv1: return av1(frame);
    case Codec::kOpus: return Shim{};
  }
  return std::nullopt;
}

std::optional<Split> split(Codec codec, ByteView sealed) {
  std::optional<Shim> shim;
  switch (codec) {
    case Codec::kVp8: {
      if (sealed.empty()) return std::nullopt;
      const bool key = vp8_key(sealed[0]);
      const auto size = (key ? kVp8Key : kVp8Delta) + kVp8Zeros;
      if (sealed.size() < size) return std::nullopt;
      return Split{make_shim(sealed.first(size), key), sealed.subspan(size)};
    }
    case Codec::kVp9: shim = vp9(sealed); break;
    case Codec::kAv1: return split_av1(sealed);
    case Codec::kOpus: shim = Shim{}; break;
    case Codec::kH264:
    case Codec::kH265: return std::nullopt;
  }
  if (!shim) return std::nullopt;
  return Split{*shim, sealed.subspan(shim->size)};
}

std::optional<Shim> shim_of_unit(Codec codec, ByteView unit) {
  if (unit.size() < kNalShim) return std::nullopt;
  for (const bool key : {true, false}) {
    const auto shim = nal_shim(codec, key);
    if (std::equal(shim.view().begin(), shim.view().end(), unit.begin())) return shim;
  }
  return std::nullopt;
}

}  // namespace sotto::e2ee
