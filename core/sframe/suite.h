// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The cipher suites of RFC 9605 section 4.5 and one of our own from the private range.
#pragma once

#include "core/base/error.h"

#include <cstddef>
#include <cstdint>

namespace sotto::sframe {

/// Numbers of the IANA registry "SFrame Cipher Suites".
enum class Suite : std::uint16_t {
  kAes128CtrHmacSha256Tag80 = 1,
  kAes128CtrHmacSha256Tag64 = 2,
  kAes128CtrHmacSha256Tag32 = 3,
  kAes128GcmSha256 = 4,
  kAes256GcmSha512 = 5,
  /// Private use (0xF000 to 0xFFFF): ChaCha20-Poly1305 with HKDF-SHA-512, for a second layer that
  /// shares no cipher with the first.
  kChaCha20Poly1305Sha512 = 0xF001,
};
inline constexpr Suite kDefaultSuite = Suite::kAes256GcmSha512;

/// Sizes in bytes, named as in RFC 9605 section 4.5.
struct SuiteInfo {
  Suite suite;
  const char* name;
  const char* cipher;  ///< OpenSSL's name.
  const char* digest;  ///< OpenSSL's name; of HKDF and HMAC.
  bool aead;           ///< False: AES-CTR, then HMAC.
  std::size_t nh;      ///< Hash output.
  std::size_t nka;     ///< Encryption key within an AES-CTR-HMAC key.
  std::size_t nk;      ///< Key.
  std::size_t nt;      ///< Tag.
};

inline constexpr std::size_t kNonceSize = 12;  // Nn of every suite.
inline constexpr std::size_t kMaxTagSize = 16;
inline constexpr std::size_t kMaxHashSize = 64;

/// Null for a number we do not know.
const SuiteInfo* find_suite(std::uint16_t number);
const SuiteInfo& info_of(Suite suite);

}  // namespace sotto::sframe
