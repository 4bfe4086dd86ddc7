// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/sframe/suite.h"

#include <cstdlib>

namespace sotto::sframe {
namespace {

constexpr SuiteInfo kSuites[] = {
    {Suite::kAes128CtrHmacSha256Tag80, "AES_128_CTR_HMAC_SHA256_80", "AES-128-CTR", "SHA2-256",
     false, 32, 16, 48, 10},
    {Suite::kAes128CtrHmacSha256Tag64, "AES_128_CTR_HMAC_SHA256_64", "AES-128-CTR", "SHA2-256",
     false, 32, 16, 48, 8},
    {Suite::kAes128CtrHmacSha256Tag32, "AES_128_CTR_HMAC_SHA256_32", "AES-128-CTR", "SHA2-256",
     false, 32, 16, 48, 4},
    {Suite::kAes128GcmSha256, "AES_128_GCM_SHA256_128", "AES-128-GCM", "SHA2-256", true, 32, 0, 16,
     16},
    {Suite::kAes256GcmSha512, "AES_256_GCM_SHA512_128", "AES-256-GCM", "SHA2-512", true, 64, 0, 32,
     16},
    {Suite::kChaCha20Poly1305Sha512, "CHACHA20_POLY1305_SHA512_128", "ChaCha20-Poly1305",
     "SHA2-512", true, 64, 0, 32, 16},
};

}  // namespace

const SuiteInfo* find_suite(std::uint16_t number) {
  for (const auto& info : kSuites) {
    if (static_cast<std::uint16_t>(info.suite) == number) return &info;
  }
  return nullptr;
}

const SuiteInfo& info_of(Suite suite) {
  const auto* info = find_suite(static_cast<std::uint16_t>(suite));
  if (info == nullptr) std::abort();  // The enumeration and the table are one list.
  return *info;
}

}  // namespace sotto::sframe
