// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/sframe/cipher.h"

#include <openssl/evp.h>
#include <sodium.h>

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
  };
  std::unique_ptr<EVP_CIPHER_CTX, Free> cipher;
  // Of AES-CTR-HMAC only: HMAC-SHA-256 with its key taken in. libsodium's, since OpenSSL 3.0
  // allocates for each message, with EVP_MAC as with EVP_MD.
  crypto_auth_hmacsha256_state hmac{};
  std::array<std::uint8_t, kNonceSize> salt{};

  ~Contexts() {
    wipe(salt);
    sodium_memzero(&hmac, sizeof hmac);
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
    const auto auth_key = key.subspan(info.nka);
    crypto_auth_hmacsha256_init(&contexts->hmac, auth_key.data(), auth_key.size());
  }
  return Cipher(info, std::move(contexts));
}

void Cipher::tag_ctr(const Aad& aad, ByteView ciphertext, const std::uint8_t* nonce,
                     std::uint8_t* tag) {
  std::uint8_t lengths[24];
  put_u64(aad.header.size() + aad.metadata.size(), lengths);
  put_u64(ciphertext.size(), lengths + 8);
  put_u64(suite_->nt, lengths + 16);
  auto state = contexts_->hmac;
  std::uint8_t whole[crypto_auth_hmacsha256_BYTES];
  const auto add = [&](ByteView bytes) {
    crypto_auth_hmacsha256_update(&state, bytes.data(), bytes.size());
  };
  add(lengths);
  add({nonce, kNonceSize});
  add(aad.header);
  add(aad.metadata);
  add(ciphertext);
  crypto_auth_hmacsha256_final(&state, whole);
  sodium_memzero(&state, sizeof state);
  std::copy(whole, whole + suite_->nt, tag);
}

bool Cipher::seal(std::uint64_t ctr, const Aad& aad, ByteView plaintext, std::uint8_t* out) {
  const auto nonce = contexts_->nonce(ctr);
  auto* context = contexts_->cipher.get();
  std::uint8_t* tag = out + plaintext.size();
  if (EVP_CipherInit_ex2(context, nullptr, nullptr, nonce.data(), -1, nullptr) != 1) return false;
  if (!suite_->aead) {
    if (!update(context, out, plaintext)) return false;
    tag_ctr(aad, {out, plaintext.size()}, nonce.data(), tag);
    return true;
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
    tag_ctr(aad, ciphertext, nonce.data(), expected);
    return equal_constant_time({expected, suite_->nt}, tag) && update(context, out, ciphertext);
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
