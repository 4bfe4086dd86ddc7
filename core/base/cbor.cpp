// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/base/cbor.h"

namespace sotto::cbor {
namespace {

constexpr std::uint8_t kFalse = 0xF4;
constexpr std::uint8_t kTrue = 0xF5;
constexpr unsigned kInline = 24;  // Numbers below stand in the first byte.

}  // namespace

Head head(Major major, std::uint64_t number) {
  Head out;
  const auto first = [&](unsigned low) {
    out.bytes[out.size++] = static_cast<std::uint8_t>((static_cast<unsigned>(major) << 5U) | low);
  };
  if (number < kInline) {
    first(static_cast<unsigned>(number));
    return out;
  }
  unsigned log = 0;  // The number takes 2^log bytes.
  while (log < 3 && (number >> (8U << log)) != 0) ++log;
  first(kInline + log);
  for (int shift = (8 << log) - 8; shift >= 0; shift -= 8) {
    out.bytes[out.size++] = static_cast<std::uint8_t>(number >> shift);
  }
  return out;
}

Writer& Writer::boolean(bool value) {
  out_.push_back(value ? kTrue : kFalse);
  return *this;
}

Writer& Writer::put(ByteView bytes) {
  out_.insert(out_.end(), bytes.begin(), bytes.end());
  return *this;
}

std::optional<std::uint64_t> Reader::take(Major major) {
  if (bytes_.empty() || bytes_[0] >> 5U != static_cast<unsigned>(major)) return std::nullopt;
  const unsigned low = bytes_[0] & 0x1FU;
  std::uint64_t value = low;
  std::size_t size = 1;
  if (low >= kInline) {
    if (low > kInline + 3) return std::nullopt;  // Reserved, or of indefinite length.
    size += 1UL << (low - kInline);
    if (bytes_.size() < size) return std::nullopt;
    value = 0;
    for (std::size_t i = 1; i < size; ++i) value = (value << 8U) | bytes_[i];
  }
  if (head(major, value).size != size) return std::nullopt;
  bytes_ = bytes_.subspan(size);
  return value;
}

std::optional<ByteView> Reader::string(Major major, std::size_t longest) {
  auto ahead = *this;
  const auto size = ahead.take(major);
  if (!size || *size > longest || *size > ahead.bytes_.size()) return std::nullopt;
  const auto out = ahead.bytes_.first(static_cast<std::size_t>(*size));
  bytes_ = ahead.bytes_.subspan(out.size());
  return out;
}

std::optional<std::string_view> Reader::text(std::size_t longest) {
  auto ahead = *this;
  const auto out = ahead.string(Major::kText, longest);
  if (!out || !is_utf8(*out)) return std::nullopt;
  *this = ahead;
  return as_text(*out);
}

std::optional<bool> Reader::boolean() {
  if (bytes_.empty() || (bytes_[0] != kFalse && bytes_[0] != kTrue)) return std::nullopt;
  const bool value = bytes_[0] == kTrue;
  bytes_ = bytes_.subspan(1);
  return value;
}

bool Reader::labelled(std::uint64_t items, std::string_view label) {
  auto ahead = *this;
  if (ahead.array() != items || ahead.text(label.size()) != label) return false;
  *this = ahead;
  return true;
}

std::optional<Major> Reader::next() const {
  if (bytes_.empty()) return std::nullopt;
  const unsigned major = bytes_[0] >> 5U;
  if (major == 1 || major > 5) return std::nullopt;
  return static_cast<Major>(major);
}

bool is_utf8(ByteView bytes) {
  std::size_t i = 0;
  while (i < bytes.size()) {
    const unsigned first = bytes[i++];
    if (first < 0x80) continue;
    const std::size_t more = first >= 0xF0 ? 3 : first >= 0xE0 ? 2 : 1;
    if (first < 0xC2 || first > 0xF4 || bytes.size() - i < more) return false;
    std::uint32_t point = first & (0x3FU >> more);
    for (std::size_t n = 0; n < more; ++n) {
      const unsigned next = bytes[i++];
      if (next >> 6U != 2) return false;
      point = (point << 6U) | (next & 0x3FU);
    }
    constexpr std::uint32_t kLeast[] = {0, 0x80, 0x800, 0x10000};
    const bool surrogate = point >= 0xD800 && point <= 0xDFFF;
    if (point < kLeast[more] || point > 0x10FFFF || surrogate) return false;
  }
  return true;
}

}  // namespace sotto::cbor
