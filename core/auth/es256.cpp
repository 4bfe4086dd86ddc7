// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/auth/es256.h"

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include <array>

namespace sotto {
namespace {

constexpr std::size_t kScalarBytes = 32;

template <auto Function>
struct FreeBy {
  template <class T>
  void operator()(T* p) const {
    Function(p);
  }
};
using Bio = std::unique_ptr<BIO, FreeBy<BIO_free_all>>;
using DigestContext = std::unique_ptr<EVP_MD_CTX, FreeBy<EVP_MD_CTX_free>>;
using Signature = std::unique_ptr<ECDSA_SIG, FreeBy<ECDSA_SIG_free>>;

bool is_p256(EVP_PKEY* key) {
  std::array<char, 64> group{};
  std::size_t length = 0;
  return EVP_PKEY_get_base_id(key) == EVP_PKEY_EC &&
         EVP_PKEY_get_group_name(key, group.data(), group.size(), &length) == 1 &&
         std::string_view(group.data(), length) == "prime256v1";
}

}  // namespace

void SigningKey::Free::operator()(evp_pkey_st* key) const { EVP_PKEY_free(key); }

Result<SigningKey> SigningKey::generate() {
  EVP_PKEY* key = EVP_EC_gen("P-256");
  if (key == nullptr) return fail(ErrorCode::kCrypto, "cannot make a P-256 key");
  return SigningKey(key);
}

Result<SigningKey> SigningKey::from_pem(std::string_view pem) {
  const Bio bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  // Without this OpenSSL asks on the terminal for the password of an encrypted key.
  const auto no_password = [](char*, int, int, void*) { return -1; };
  SigningKey key(bio ? PEM_read_bio_PrivateKey(bio.get(), nullptr, no_password, nullptr) : nullptr);
  if (!key.key_) return fail(ErrorCode::kParse, "not an unencrypted private key in PEM");
  if (!is_p256(key.get())) return fail(ErrorCode::kUnsupported, "the key is not a P-256 key");
  return key;
}

Result<std::string> SigningKey::to_pem() const {
  const Bio bio(BIO_new(BIO_s_secmem()));
  if (!bio || PEM_write_bio_PKCS8PrivateKey(bio.get(), key_.get(), nullptr, nullptr, 0, nullptr,
                                            nullptr) != 1) {
    return fail(ErrorCode::kCrypto, "cannot write the private key");
  }
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return std::string(data, static_cast<std::size_t>(size));
}

Result<Bytes> es256_sign(evp_pkey_st* key, ByteView message) {
  const DigestContext context(EVP_MD_CTX_new());
  std::size_t size = 0;
  if (!context || EVP_DigestSignInit(context.get(), nullptr, EVP_sha256(), nullptr, key) != 1 ||
      EVP_DigestSign(context.get(), nullptr, &size, message.data(), message.size()) != 1) {
    return fail(ErrorCode::kCrypto, "cannot sign");
  }
  Bytes der(size);
  if (EVP_DigestSign(context.get(), der.data(), &size, message.data(), message.size()) != 1) {
    return fail(ErrorCode::kCrypto, "cannot sign");
  }
  const unsigned char* at = der.data();
  const Signature signature(d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(size)));
  Bytes raw(2 * kScalarBytes);
  if (!signature || BN_bn2binpad(ECDSA_SIG_get0_r(signature.get()), raw.data(), kScalarBytes) < 0 ||
      BN_bn2binpad(ECDSA_SIG_get0_s(signature.get()), raw.data() + kScalarBytes, kScalarBytes) <
          0) {
    return fail(ErrorCode::kCrypto, "cannot sign");
  }
  return raw;
}

bool es256_verify(evp_pkey_st* key, ByteView message, ByteView raw) {
  if (raw.size() != 2 * kScalarBytes) return false;
  const Signature signature(ECDSA_SIG_new());
  BIGNUM* r = BN_bin2bn(raw.data(), kScalarBytes, nullptr);
  BIGNUM* s = BN_bin2bn(raw.data() + kScalarBytes, kScalarBytes, nullptr);
  if (!signature || ECDSA_SIG_set0(signature.get(), r, s) != 1) {
    BN_free(r);
    BN_free(s);
    return false;
  }
  unsigned char* der = nullptr;
  const int size = i2d_ECDSA_SIG(signature.get(), &der);
  if (size <= 0) return false;
  const DigestContext context(EVP_MD_CTX_new());
  const bool good = context &&
                    EVP_DigestVerifyInit(context.get(), nullptr, EVP_sha256(), nullptr, key) == 1 &&
                    EVP_DigestVerify(context.get(), der, static_cast<std::size_t>(size),
                                     message.data(), message.size()) == 1;
  OPENSSL_free(der);
  return good;
}

}  // namespace sotto
