// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/sframe/cipher.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include <limits>

namespace sotto::sframe {
namespace {

constexpr std::size_t kCtrBlock = 16;
using Nonce =
    std::array<std::uint8_t, kCtrBlock>;  // The first 12 bytes; AES-CTR counts in the rest.

void put_u64(std::uint64_t number, std::uint8_t* out) {
  for (int i = 0; i < 8; ++i) out[i] = static_cast<std::uint8_t>(number >> (56 - 8 * i));
}

/// OpenSSL counts in int.
bool fits(std::size_t size) {
  return size <= static_cast<std::size_t>(std::numeric_limits<int>::max());
}

/// OpenSSL writes nothing for null, but wants a pointer for what is empty.
bool update(EVP_CIPHER_CTX* context, std::uint8_t* out, ByteView in) {
  if (in.empty()) return true;
  int written = 0;
  return fits(in.size()) &&
         EVP_CipherUpdate(context, out, &written, in.data(), static_cast<int>(in.size())) == 1;
}

}  // namespace

struct Cipher::Contexts {
  struct Free {
    void operator()(EVP_CIPHER* cipher) const { EVP_CIPHER_free(cipher); }
    void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
    void operator()(EVP_MAC* mac) const { EVP_MAC_free(mac); }
    void operator()(EVP_MAC_CTX* context) const { EVP_MAC_CTX_free(context); }
  };
  std::unique_ptr<EVP_CIPHER_CTX, Free> cipher;
  std::unique_ptr<EVP_MAC_CTX, Free> mac;  // Of AES-CTR-HMAC only.
  std::array<std::uint8_t, kNonceSize> salt{};

  ~Contexts() { wipe(salt); }

  Result<> make_mac(const SuiteInfo& suite, ByteView key) {
    const std::unique_ptr<EVP_MAC, Free> hmac(EVP_MAC_fetch(nullptr, "HMAC", nullptr));
    mac.reset(hmac ? EVP_MAC_CTX_new(hmac.get()) : nullptr);
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, const_cast<char*>(suite.digest), 0),
        OSSL_PARAM_construct_end()};
    if (!mac || EVP_MAC_init(mac.get(), key.data(), key.size(), params) != 1) {
      return fail(ErrorCode::kCrypto, "HMAC is not to be had");
    }
    return {};
  }

  Nonce nonce(std::uint64_t ctr) const {
    Nonce out{};
    std::copy(salt.begin(), salt.end(), out.begin());
    std::uint8_t number[8];
    put_u64(ctr, number);
    for (std::size_t i = 0; i < 8; ++i) out[kNonceSize - 8 + i] ^= number[i];
    return out;
  }
};

Cipher::Cipher(const SuiteInfo& suite, std::unique_ptr<Contexts> contexts)
    : suite_(&suite), contexts_(std::move(contexts)) {}
Cipher::Cipher(Cipher&&) noexcept = default;
Cipher& Cipher::operator=(Cipher&&) noexcept = default;
Cipher::~Cipher() = default;

Result<Cipher> Cipher::make(Suite suite, Use use, std::uint64_t kid, ByteView base_key) {
  const auto keys = derive(suite, kid, base_key);
  if (!keys) return tl::unexpected<Error>(keys.error());
  return from_keys(suite, use, *keys);
}

Result<Cipher> Cipher::from_keys(Suite suite, Use use, const FrameKeys& keys) {
  const auto& info = info_of(suite);
  const auto key = keys.key.view();
  if (key.size() != info.nk) return fail(ErrorCode::kInvalid, "not a key of this suite");
  auto contexts = std::make_unique<Contexts>();
  contexts->salt = keys.salt;
  const std::unique_ptr<EVP_CIPHER, Contexts::Free> cipher(
      EVP_CIPHER_fetch(nullptr, info.cipher, nullptr));
  contexts->cipher.reset(EVP_CIPHER_CTX_new());
  // AES-CTR runs the same way in both directions.
  const int encrypt = use == Use::kSeal || !info.aead ? 1 : 0;
  if (!cipher || !contexts->cipher ||
      EVP_CipherInit_ex2(contexts->cipher.get(), cipher.get(), key.data(), nullptr, encrypt,
                         nullptr) != 1) {
    return fail(ErrorCode::kCrypto, std::string(info.cipher) + " is not to be had");
  }
  if (!info.aead) {
    if (auto done = contexts->make_mac(info, key.subspan(info.nka)); !done) {
      return tl::unexpected<Error>(done.error());
    }
  }
  return Cipher(info, std::move(contexts));
}

bool Cipher::tag_ctr(const Aad& aad, ByteView ciphertext, const std::uint8_t* nonce,
                     std::uint8_t* tag) {
  std::uint8_t lengths[24];
  put_u64(aad.header.size() + aad.metadata.size(), lengths);
  put_u64(ciphertext.size(), lengths + 8);
  put_u64(suite_->nt, lengths + 16);
  auto* mac = contexts_->mac.get();
  std::uint8_t whole[kMaxHashSize];
  std::size_t size = 0;
  const bool done = EVP_MAC_init(mac, nullptr, 0, nullptr) == 1 &&
                    EVP_MAC_update(mac, lengths, sizeof lengths) == 1 &&
                    EVP_MAC_update(mac, nonce, kNonceSize) == 1 &&
                    EVP_MAC_update(mac, aad.header.data(), aad.header.size()) == 1 &&
                    EVP_MAC_update(mac, aad.metadata.data(), aad.metadata.size()) == 1 &&
                    EVP_MAC_update(mac, ciphertext.data(), ciphertext.size()) == 1 &&
                    EVP_MAC_final(mac, whole, &size, sizeof whole) == 1;
  if (done) std::copy(whole, whole + suite_->nt, tag);
  return done;
}

bool Cipher::seal(std::uint64_t ctr, const Aad& aad, ByteView plaintext, std::uint8_t* out) {
  const auto nonce = contexts_->nonce(ctr);
  auto* context = contexts_->cipher.get();
  std::uint8_t* tag = out + plaintext.size();
  if (EVP_CipherInit_ex2(context, nullptr, nullptr, nonce.data(), -1, nullptr) != 1) return false;
  if (!suite_->aead) {
    return update(context, out, plaintext) &&
           tag_ctr(aad, {out, plaintext.size()}, nonce.data(), tag);
  }
  int written = 0;
  return update(context, nullptr, aad.header) && update(context, nullptr, aad.metadata) &&
         update(context, out, plaintext) && EVP_CipherFinal_ex(context, tag, &written) == 1 &&
         EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, static_cast<int>(suite_->nt), tag) ==
             1;
}

bool Cipher::open(std::uint64_t ctr, const Aad& aad, ByteView sealed, std::uint8_t* out) {
  if (sealed.size() < suite_->nt) return false;
  const auto ciphertext = sealed.first(sealed.size() - suite_->nt);
  const auto tag = sealed.subspan(ciphertext.size());
  const auto nonce = contexts_->nonce(ctr);
  auto* context = contexts_->cipher.get();
  if (EVP_CipherInit_ex2(context, nullptr, nullptr, nonce.data(), -1, nullptr) != 1) return false;
  if (!suite_->aead) {
    std::uint8_t expected[kMaxTagSize];
    // Authenticated before anything is decrypted.
    return tag_ctr(aad, ciphertext, nonce.data(), expected) &&
           equal_constant_time({expected, suite_->nt}, tag) && update(context, out, ciphertext);
  }
  std::array<std::uint8_t, kMaxTagSize> copy{};  // OpenSSL takes it by a pointer that is not const.
  std::copy(tag.begin(), tag.end(), copy.begin());
  int written = 0;
  std::uint8_t none[kCtrBlock];  // An AEAD's end writes nothing.
  const bool authentic =
      EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, static_cast<int>(suite_->nt),
                          copy.data()) == 1 &&
      update(context, nullptr, aad.header) && update(context, nullptr, aad.metadata) &&
      update(context, out, ciphertext) && EVP_CipherFinal_ex(context, none, &written) == 1;
  // OpenSSL has written the decryption by now; nobody may use it.
  if (!authentic) wipe({out, ciphertext.size()});
  return authentic;
}

}  // namespace sotto::sframe
