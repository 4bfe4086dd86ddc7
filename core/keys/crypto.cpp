// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/keys/crypto.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/sha.h>

#include <cstdlib>
#include <memory>

namespace sotto::keys {
namespace {

constexpr std::size_t kNonceSize = 12;

struct Free {
  void operator()(EVP_KDF* kdf) const { EVP_KDF_free(kdf); }
  void operator()(EVP_KDF_CTX* context) const { EVP_KDF_CTX_free(context); }
  void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
};
using CipherContext = std::unique_ptr<EVP_CIPHER_CTX, Free>;

OSSL_PARAM octets(const char* name, ByteView bytes) {
  // OpenSSL's parameters are not const, though it does not write to these.
  return OSSL_PARAM_construct_octet_string(name, const_cast<std::uint8_t*>(bytes.data()),
                                           bytes.size());
}

std::array<std::uint8_t, kNonceSize> nonce_of(std::uint64_t seq) {
  std::array<std::uint8_t, kNonceSize> nonce{};
  for (std::size_t i = 0; i < 8; ++i) {
    nonce[kNonceSize - 1 - i] = static_cast<std::uint8_t>(seq >> (8 * i));
  }
  return nonce;
}

}  // namespace

// Without memory or a working library there is nothing to go on with: these cannot fail else.
Sha256 sha256(ByteView bytes) {
  Sha256 out;
  if (SHA256(bytes.data(), bytes.size(), out.data()) == nullptr) std::abort();
  return out;
}

Sha512 sha512(ByteView bytes) {
  Sha512 out;
  if (SHA512(bytes.data(), bytes.size(), out.data()) == nullptr) std::abort();
  return out;
}

Sha256 hmac(ByteView key, ByteView message) {
  Sha256 out;
  unsigned size = 0;
  if (HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), message.data(), message.size(),
           out.data(), &size) == nullptr ||
      size != out.size()) {
    std::abort();
  }
  return out;
}

Result<Secret> hkdf(ByteView salt, ByteView ikm, ByteView info, std::size_t size) {
  static const std::unique_ptr<EVP_KDF, Free> kdf(EVP_KDF_fetch(nullptr, "HKDF", nullptr));
  const std::unique_ptr<EVP_KDF_CTX, Free> context(kdf ? EVP_KDF_CTX_new(kdf.get()) : nullptr);
  int mode = EVP_KDF_HKDF_MODE_EXTRACT_AND_EXPAND;
  char digest[] = "SHA512";
  OSSL_PARAM params[] = {
      OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode),
      OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
      octets(OSSL_KDF_PARAM_KEY, ikm),
      octets(OSSL_KDF_PARAM_INFO, info),
      // An empty salt is as many zeros as the hash is long (RFC 5869, 2.2), which is the default.
      salt.empty() ? OSSL_PARAM_construct_end() : octets(OSSL_KDF_PARAM_SALT, salt),
      OSSL_PARAM_construct_end(),
  };
  Secret out(size);
  if (!context || EVP_KDF_derive(context.get(), out.span().data(), out.size(), params) != 1) {
    return fail(ErrorCode::kCrypto, "HKDF failed");
  }
  return out;
}

Result<Bytes> seal_box(ByteView key, std::uint64_t seq, ByteView associated, ByteView plain) {
  const auto nonce = nonce_of(seq);
  const CipherContext context(EVP_CIPHER_CTX_new());
  Bytes box(plain.size() + kTagSize);
  int size = 0;
  if (key.size() != kKeySize || !context ||
      EVP_EncryptInit_ex(context.get(), EVP_aes_256_gcm(), nullptr, key.data(), nonce.data()) !=
          1 ||
      EVP_EncryptUpdate(context.get(), nullptr, &size, associated.data(),
                        static_cast<int>(associated.size())) != 1 ||
      EVP_EncryptUpdate(context.get(), box.data(), &size, plain.data(),
                        static_cast<int>(plain.size())) != 1 ||
      EVP_EncryptFinal_ex(context.get(), box.data() + size, &size) != 1 ||
      EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_GET_TAG, kTagSize,
                          box.data() + plain.size()) != 1) {
    return fail(ErrorCode::kCrypto, "cannot seal");
  }
  return box;
}

Result<Secret> open_box(ByteView key, std::uint64_t seq, ByteView associated, ByteView box) {
  if (key.size() != kKeySize || box.size() <= kTagSize) {
    return fail(ErrorCode::kCrypto, "a box is too short");
  }
  const auto nonce = nonce_of(seq);
  const auto sealed = box.first(box.size() - kTagSize);
  Bytes tag(box.end() - kTagSize, box.end());
  const CipherContext context(EVP_CIPHER_CTX_new());
  Secret plain(sealed.size());
  int size = 0;
  if (!context ||
      EVP_DecryptInit_ex(context.get(), EVP_aes_256_gcm(), nullptr, key.data(), nonce.data()) !=
          1 ||
      EVP_DecryptUpdate(context.get(), nullptr, &size, associated.data(),
                        static_cast<int>(associated.size())) != 1 ||
      EVP_DecryptUpdate(context.get(), plain.span().data(), &size, sealed.data(),
                        static_cast<int>(sealed.size())) != 1 ||
      EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_SET_TAG, kTagSize, tag.data()) != 1 ||
      EVP_DecryptFinal_ex(context.get(), plain.span().data() + size, &size) != 1) {
    return fail(ErrorCode::kCrypto, "a box does not open");
  }
  return plain;
}

}  // namespace sotto::keys
