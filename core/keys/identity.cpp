// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/keys/identity.h"

#include "core/auth/es256.h"
#include "core/keys/crypto.h"
#include "core/keys/p256.h"

#include <algorithm>

namespace sotto::keys {
namespace {

// SubjectPublicKeyInfo { id-ecPublicKey, prime256v1 }, BIT STRING of 65 bytes (RFC 5480).
constexpr std::uint8_t kSpkiPrefix[] = {0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48,
                                        0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48,
                                        0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00};
static_assert(sizeof(kSpkiPrefix) + 65 == kSpkiSize);

}  // namespace

Result<PublicIdentity> PublicIdentity::from_spki(ByteView spki) {
  constexpr auto kPrefix = std::size(kSpkiPrefix);
  if (spki.size() != kSpkiSize ||
      !std::equal(std::begin(kSpkiPrefix), std::end(kSpkiPrefix), spki.begin())) {
    return fail(ErrorCode::kParse, "not the SPKI of a P-256 key in 91 bytes");
  }
  auto key = p256_public(spki.subspan(kPrefix));
  if (!key) return tl::unexpected<Error>(key.error());
  PublicIdentity out;
  std::copy(spki.begin(), spki.end(), out.spki_.begin());
  out.id_ = sha256(spki);
  out.key_ = std::move(*key);
  return out;
}

bool PublicIdentity::verify(ByteView message, ByteView signature) const {
  return key_ && es256_verify(key_.get(), message, signature);
}

Result<std::unique_ptr<FileIdentity>> FileIdentity::generate() {
  const auto key = p256_generate();
  if (!key) return tl::unexpected<Error>(key.error());
  const auto scalar = p256_scalar(key->get());
  if (!scalar) return tl::unexpected<Error>(scalar.error());
  return from_private_key(scalar->view());
}

Result<std::unique_ptr<FileIdentity>> FileIdentity::from_private_key(ByteView scalar) {
  auto key = p256_private(scalar);
  if (!key) return tl::unexpected<Error>(key.error());
  const auto point = p256_point(key->get());
  if (!point) return tl::unexpected<Error>(point.error());
  Bytes spki(std::begin(kSpkiPrefix), std::end(kSpkiPrefix));
  spki.insert(spki.end(), point->begin(), point->end());
  auto pub = PublicIdentity::from_spki(spki);
  if (!pub) return tl::unexpected<Error>(pub.error());
  std::unique_ptr<FileIdentity> out(new FileIdentity);
  out->public_ = std::move(*pub);
  out->key_ = std::move(*key);
  return out;
}

Result<Bytes> FileIdentity::sign(ByteView message) const { return es256_sign(key_.get(), message); }

Result<Secret> FileIdentity::private_key() const { return p256_scalar(key_.get()); }

}  // namespace sotto::keys
