// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The primitives of docs/e2ee-protocol.md, each in the one form the protocol uses.
#pragma once

#include "core/base/secret.h"

#include <array>
#include <cstdint>

namespace sotto::keys {

using Sha256 = std::array<std::uint8_t, 32>;
using Sha512 = std::array<std::uint8_t, 64>;
inline constexpr std::size_t kKeySize = 32;
inline constexpr std::size_t kTagSize = 16;

Sha256 sha256(ByteView bytes);
Sha512 sha512(ByteView bytes);
/// HMAC with SHA-256.
Sha256 hmac(ByteView key, ByteView message);
/// RFC 5869, extract and expand, with SHA-512.
Result<Secret> hkdf(ByteView salt, ByteView ikm, ByteView info, std::size_t size);

/// AES-256-GCM with the nonce 00000000 and `seq` in 8 bytes; ciphertext and tag.
Result<Bytes> seal_box(ByteView key, std::uint64_t seq, ByteView associated, ByteView plain);
Result<Secret> open_box(ByteView key, std::uint64_t seq, ByteView associated, ByteView box);

}  // namespace sotto::keys
