// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/rtc/av1/obu.h"

namespace sotto::rtc::av1 {

Leb128 leb128(std::size_t number) {
  Leb128 out;
  do {
    const auto low = static_cast<std::uint8_t>(number & 0x7FU);
    number >>= 7U;
    out.bytes[out.size++] = static_cast<std::uint8_t>(low | (number != 0 ? 0x80U : 0U));
  } while (number != 0);
  return out;
}

std::optional<ReadLeb128> read_leb128(ByteView bytes) {
  constexpr std::uint64_t kEnd = 1ULL << 32U;
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < 8 && i < bytes.size(); ++i) {
    value |= static_cast<std::uint64_t>(bytes[i] & 0x7FU) << (7 * i);
    if ((bytes[i] & 0x80U) != 0) continue;
    if (value >= kEnd) return std::nullopt;
    return ReadLeb128{static_cast<std::size_t>(value), i + 1};
  }
  return std::nullopt;
}

std::optional<ReadObu> read_obu(ByteView bytes) {
  if (bytes.empty() || (bytes[0] & kObuForbidden) != 0) return std::nullopt;
  ReadObu out{};
  out.obu.header = bytes[0];
  std::size_t at = out.obu.header_size();
  if (bytes.size() < at) return std::nullopt;
  if (out.obu.has_extension()) out.obu.extension = bytes[1];
  std::size_t size = bytes.size() - at;
  if ((bytes[0] & kObuHasSize) != 0) {
    const auto read = read_leb128(bytes.subspan(at));
    if (!read || read->value > bytes.size() - at - read->bytes) return std::nullopt;
    at += read->bytes;
    size = read->value;
  }
  out.obu.payload = bytes.subspan(at, size);
  out.bytes = at + size;
  return out;
}

}  // namespace sotto::rtc::av1
