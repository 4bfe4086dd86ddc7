// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The SFrame header, RFC 9605 section 4.3:
//
//    0 1 2 3 4 5 6 7
//   +-+-----+-+-----+------------+------------+
//   |X|  K  |Y|  C  |   KID...   |   CTR...   |     X, Y: the number follows in K+1, C+1 bytes;
//   +-+-----+-+-----+------------+------------+     else K, C are the number itself.
#pragma once

#include "core/base/bytes.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace sotto::sframe {

inline constexpr std::size_t kMaxHeaderSize = 17;

struct Header {
  std::uint64_t kid = 0;
  std::uint64_t ctr = 0;
};

struct ParsedHeader {
  Header header;
  std::size_t size = 0;  ///< Bytes it takes, 1 to 17.
};

struct EncodedHeader {
  std::array<std::uint8_t, kMaxHeaderSize> bytes{};
  std::size_t size = 0;
  ByteView view() const { return {bytes.data(), size}; }
};

/// The shortest form, the only one a sender makes.
EncodedHeader encode(const Header& header);
std::size_t encoded_size(const Header& header);

/// Nothing when the bytes end within the header. A longer form than needed is taken, as the RFC
/// demands no more of receivers: it is authenticated as it stands.
std::optional<ParsedHeader> parse_header(ByteView bytes);

}  // namespace sotto::sframe
