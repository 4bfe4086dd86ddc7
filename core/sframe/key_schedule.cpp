// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/sframe/key_schedule.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#include <algorithm>
#include <memory>
#include <string>

namespace sotto::sframe {
namespace {

struct FreeKdf {
  void operator()(EVP_KDF* kdf) const { EVP_KDF_free(kdf); }
  void operator()(EVP_KDF_CTX* context) const { EVP_KDF_CTX_free(context); }
};

// OpenSSL's parameters are not const, though it does not write to these.
OSSL_PARAM octets(const char* name, ByteView bytes) {
  return OSSL_PARAM_construct_octet_string(name, const_cast<std::uint8_t*>(bytes.data()),
                                           bytes.size());
}

Result<> hkdf(const SuiteInfo& suite, int mode, ByteView key, ByteView info,
              std::span<std::uint8_t> out) {
  const std::unique_ptr<EVP_KDF, FreeKdf> kdf(EVP_KDF_fetch(nullptr, "HKDF", nullptr));
  const std::unique_ptr<EVP_KDF_CTX, FreeKdf> context(kdf ? EVP_KDF_CTX_new(kdf.get()) : nullptr);
  OSSL_PARAM params[] = {
      OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode),
      OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, const_cast<char*>(suite.digest), 0),
      octets(OSSL_KDF_PARAM_KEY, key),
      // Extract takes the salt (empty here: RFC 5869 makes it Nh zeros), Expand the info.
      info.empty() ? OSSL_PARAM_construct_end() : octets(OSSL_KDF_PARAM_INFO, info),
      OSSL_PARAM_construct_end(),
  };
  if (!context || EVP_KDF_derive(context.get(), out.data(), out.size(), params) != 1) {
    return fail(ErrorCode::kCrypto, "HKDF failed");
  }
  return {};
}

Result<Secret> extract(const SuiteInfo& suite, ByteView base_key) {
  if (base_key.size() < kMinBaseKey || base_key.size() > kMaxBaseKey) {
    return fail(ErrorCode::kInvalid, "a base key has 16 to 64 bytes");
  }
  Secret secret(suite.nh);
  if (auto done = hkdf(suite, EVP_KDF_HKDF_MODE_EXTRACT_ONLY, base_key, {}, secret.span()); !done) {
    return tl::unexpected<Error>(done.error());
  }
  return secret;
}

Bytes label(std::string_view text, std::uint64_t kid, Suite suite) {
  Bytes out(text.begin(), text.end());
  for (int shift = 56; shift >= 0; shift -= 8)
    out.push_back(static_cast<std::uint8_t>(kid >> shift));
  const auto number = static_cast<std::uint16_t>(suite);
  out.push_back(static_cast<std::uint8_t>(number >> 8U));
  out.push_back(static_cast<std::uint8_t>(number & 0xFFU));
  return out;
}

}  // namespace

Result<FrameKeys> derive(Suite suite, std::uint64_t kid, ByteView base_key) {
  const auto& info = info_of(suite);
  const auto secret = extract(info, base_key);
  if (!secret) return tl::unexpected<Error>(secret.error());
  FrameKeys keys;
  keys.key = Secret(info.nk);
  // Both labels end with a space.
  auto done = hkdf(info, EVP_KDF_HKDF_MODE_EXPAND_ONLY, secret->view(),
                   label("SFrame 1.0 Secret key ", kid, suite), keys.key.span());
  if (done) {
    done = hkdf(info, EVP_KDF_HKDF_MODE_EXPAND_ONLY, secret->view(),
                label("SFrame 1.0 Secret salt ", kid, suite), keys.salt);
  }
  if (!done) return tl::unexpected<Error>(done.error());
  return keys;
}

Result<Secret> ratchet(Suite suite, ByteView base_key) {
  const auto& info = info_of(suite);
  const auto secret = extract(info, base_key);
  if (!secret) return tl::unexpected<Error>(secret.error());
  Secret next(info.nh);
  if (auto done = hkdf(info, EVP_KDF_HKDF_MODE_EXPAND_ONLY, secret->view(),
                       as_bytes("SFrame 1.0 Ratchet"), next.span());
      !done) {
    return tl::unexpected<Error>(done.error());
  }
  return next;
}

}  // namespace sotto::sframe
