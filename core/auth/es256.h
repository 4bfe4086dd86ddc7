// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
//
// ECDSA on P-256 with SHA-256, signatures as raw r || s (64 bytes).
#pragma once

#include "core/base/bytes.h"
#include "core/base/error.h"

#include <memory>
#include <string>
#include <string_view>

struct evp_pkey_st;  // OpenSSL's EVP_PKEY.

namespace sotto {

/// With a key that was checked to be on P-256.
Result<Bytes> es256_sign(evp_pkey_st* key, ByteView message);
bool es256_verify(evp_pkey_st* key, ByteView message, ByteView signature);

class SigningKey {
 public:
  static Result<SigningKey> generate();
  /// An unencrypted PEM (PKCS #8) of a P-256 key; other curves and kinds are refused.
  static Result<SigningKey> from_pem(std::string_view pem);
  /// The caller must wipe it.
  Result<std::string> to_pem() const;

  Result<Bytes> sign(ByteView message) const { return es256_sign(key_.get(), message); }
  bool verify(ByteView message, ByteView signature) const {
    return es256_verify(key_.get(), message, signature);
  }

  evp_pkey_st* get() const { return key_.get(); }

 private:
  struct Free {
    void operator()(evp_pkey_st* key) const;
  };
  explicit SigningKey(evp_pkey_st* key) : key_(key) {}
  std::unique_ptr<evp_pkey_st, Free> key_;
};

}  // namespace sotto
