// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/sframe/header.h"

namespace sotto::sframe {
namespace {

constexpr std::uint64_t kInlineLimit = 8;  // Smaller numbers fit into the config byte.
constexpr unsigned kFollows = 0x08;        // X and Y, each above its three bits.

std::size_t bytes_of(std::uint64_t number) {
  std::size_t count = 1;
  while (count < 8 && (number >> (8 * count)) != 0) ++count;
  return count;
}

/// The half of the config byte for one number; what has to follow is appended.
unsigned put(std::uint64_t number, EncodedHeader& out) {
  if (number < kInlineLimit) return static_cast<unsigned>(number);
  const auto count = bytes_of(number);
  for (auto i = count; i-- > 0;) {
    out.bytes[out.size++] = static_cast<std::uint8_t>(number >> (8 * i));
  }
  return kFollows | static_cast<unsigned>(count - 1);
}

}  // namespace

EncodedHeader encode(const Header& header) {
  EncodedHeader out;
  out.size = 1;
  const unsigned kid = put(header.kid, out);
  const unsigned ctr = put(header.ctr, out);
  out.bytes[0] = static_cast<std::uint8_t>((kid << 4U) | ctr);
  return out;
}

std::size_t encoded_size(const Header& header) {
  return 1 + (header.kid < kInlineLimit ? 0 : bytes_of(header.kid)) +
         (header.ctr < kInlineLimit ? 0 : bytes_of(header.ctr));
}

std::optional<ParsedHeader> parse_header(ByteView bytes) {
  if (bytes.empty()) return std::nullopt;
  std::size_t at = 1;
  const auto take = [&](unsigned half) -> std::optional<std::uint64_t> {
    if ((half & kFollows) == 0) return half;
    const std::size_t count = (half & 0x07U) + 1;
    if (bytes.size() - at < count) return std::nullopt;
    std::uint64_t number = 0;
    for (std::size_t i = 0; i < count; ++i) number = (number << 8U) | bytes[at + i];
    at += count;
    return number;
  };
  const auto kid = take(bytes[0] >> 4U);
  if (!kid) return std::nullopt;
  const auto ctr = take(bytes[0] & 0x0FU);
  if (!ctr) return std::nullopt;
  return ParsedHeader{{*kid, *ctr}, at};
}

}  // namespace sotto::sframe
