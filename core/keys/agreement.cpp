// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/keys/agreement.h"

#include "core/keys/p256.h"

#include <openssl/evp.h>

namespace sotto::keys {
namespace {

struct Free {
  void operator()(EVP_PKEY_CTX* context) const { EVP_PKEY_CTX_free(context); }
};

Result<Pkey> private_of(unsigned layer, ByteView bytes) {
  if (layer == 2) return p256_private(bytes);
  Pkey key(EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, nullptr, bytes.data(), bytes.size()));
  if (!key) return fail(ErrorCode::kCrypto, "not an X25519 key");
  return key;
}

Result<Pkey> public_of(unsigned layer, ByteView bytes) {
  if (layer == 2) return p256_public(bytes);
  Pkey key(EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, nullptr, bytes.data(), bytes.size()));
  if (!key) return fail(ErrorCode::kCrypto, "not an X25519 public key");
  return key;
}

}  // namespace

Result<AgreementKey> AgreementKey::generate(unsigned layer) {
  if (layer == 1) return from_private_key(layer, Secret::random(kX25519Size).view());
  const auto key = p256_generate();
  if (!key) return tl::unexpected<Error>(key.error());
  const auto scalar = p256_scalar(key->get());
  if (!scalar) return tl::unexpected<Error>(scalar.error());
  return from_private_key(layer, scalar->view());
}

Result<AgreementKey> AgreementKey::from_private_key(unsigned layer, ByteView bytes) {
  if (layer < 1 || layer > kLayers) return fail(ErrorCode::kInvalid, "no such layer");
  auto key = private_of(layer, bytes);
  if (!key) return tl::unexpected<Error>(key.error());
  AgreementKey out;
  out.layer_ = layer;
  out.private_ = Secret::copy_of(bytes);
  if (layer == 2) {
    auto point = p256_point(key->get());
    if (!point) return tl::unexpected<Error>(point.error());
    out.public_ = std::move(*point);
    out.key_ = std::move(*key);
    return out;
  }
  out.public_.resize(kX25519Size);
  std::size_t size = out.public_.size();
  if (EVP_PKEY_get_raw_public_key(key->get(), out.public_.data(), &size) != 1 ||
      size != kX25519Size) {
    return fail(ErrorCode::kCrypto, "no X25519 public key");
  }
  out.key_ = std::move(*key);
  return out;
}

Result<Secret> AgreementKey::agree(ByteView peer) const {
  if (!key_) return fail(ErrorCode::kInternal, "no private key to agree with");
  if (peer.size() != public_size(layer_)) {
    return fail(ErrorCode::kParse, "a public key of the wrong length");
  }
  const auto other = public_of(layer_, peer);
  if (!other) return tl::unexpected<Error>(other.error());
  const std::unique_ptr<EVP_PKEY_CTX, Free> context(
      EVP_PKEY_CTX_new_from_pkey(nullptr, key_.get(), nullptr));
  Secret shared(kSharedSize);
  std::size_t size = shared.size();
  if (!context || EVP_PKEY_derive_init(context.get()) != 1 ||
      EVP_PKEY_derive_set_peer(context.get(), other->get()) != 1 ||
      EVP_PKEY_derive(context.get(), shared.span().data(), &size) != 1 || size != kSharedSize) {
    return fail(ErrorCode::kCrypto, "the agreement failed");
  }
  const Bytes zeros(kSharedSize);
  if (equal_constant_time(shared.view(), zeros)) {
    return fail(ErrorCode::kCrypto, "the agreement gave zeros");
  }
  return shared;
}

}  // namespace sotto::keys
