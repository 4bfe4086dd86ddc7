// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Byte strings and their text forms. All decoders are strict: no white space, no padding
// where none belongs, no second way to write the same bytes.
#pragma once

#include "core/base/error.h"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sotto {

using Bytes = std::vector<std::uint8_t>;
using ByteView = std::span<const std::uint8_t>;

inline ByteView as_bytes(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}
inline std::string_view as_text(ByteView bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// Lower-case hexadecimal.
std::string to_hex(ByteView bytes);
Result<Bytes> from_hex(std::string_view text);

/// RFC 4648 section 5, without padding: ids, tokens, links.
std::string to_base64url(ByteView bytes);
Result<Bytes> from_base64url(std::string_view text);

/// RFC 4648 section 4, with padding: HTTP Basic, PEM, Janus tokens.
std::string to_base64(ByteView bytes);
Result<Bytes> from_base64(std::string_view text);

/// Compares without revealing where the first difference is. Lengths are not secret.
bool equal_constant_time(ByteView a, ByteView b);

}  // namespace sotto
