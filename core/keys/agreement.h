// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Diffie-Hellman on the two curves: layer 1 is X25519, layer 2 P-256. No secret of one enters the
// other.
#pragma once

#include "core/base/secret.h"

#include <cstddef>
#include <memory>

struct evp_pkey_st;

namespace sotto::keys {

inline constexpr std::size_t kLayers = 2;
inline constexpr std::size_t kX25519Size = 32;
inline constexpr std::size_t kP256Size = 65;  // 04, X, Y
inline constexpr std::size_t kSharedSize = 32;

/// Bytes of a public key of layer 1 or 2.
constexpr std::size_t public_size(unsigned layer) { return layer == 1 ? kX25519Size : kP256Size; }

class AgreementKey {
 public:
  AgreementKey() = default;
  static Result<AgreementKey> generate(unsigned layer);
  /// 32 bytes: the X25519 key or the P-256 scalar.
  static Result<AgreementKey> from_private_key(unsigned layer, ByteView key);

  unsigned layer() const { return layer_; }
  const Bytes& pub() const { return public_; }
  ByteView private_key() const { return private_.view(); }
  /// 32 bytes; X of the point for P-256. Refuses a point that is not on the curve, and a result
  /// that is all zeros.
  Result<Secret> agree(ByteView peer) const;

 private:
  unsigned layer_ = 0;
  Secret private_;
  Bytes public_;
  std::shared_ptr<evp_pkey_st> key_;
};

}  // namespace sotto::keys
