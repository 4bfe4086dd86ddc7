// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Who a device is: an ECDSA P-256 key. Its id is SHA-256 of the public key's SPKI
// (docs/encodings.md, "Keys of calls").
#pragma once

#include "core/base/secret.h"

#include <array>
#include <memory>

struct evp_pkey_st;

namespace sotto::keys {

inline constexpr std::size_t kSpkiSize = 91;
inline constexpr std::size_t kSignatureSize = 64;
/// SHA-256 of an SPKI.
using IdentityId = std::array<std::uint8_t, 32>;

/// A public key that was checked to be on the curve.
class PublicIdentity {
 public:
  /// Takes the one DER form of 91 bytes: uncompressed, named curve.
  static Result<PublicIdentity> from_spki(ByteView spki);

  ByteView spki() const { return spki_; }
  const IdentityId& id() const { return id_; }
  /// `signature` is r and s, 64 bytes.
  bool verify(ByteView message, ByteView signature) const;

 private:
  friend class FileIdentity;
  PublicIdentity() = default;
  std::array<std::uint8_t, kSpkiSize> spki_{};
  IdentityId id_{};
  std::shared_ptr<evp_pkey_st> key_;
};

/// What signs as this device, wherever the private key is: in memory here, in a token elsewhere.
class Identity {
 public:
  Identity() = default;
  Identity(const Identity&) = delete;
  Identity& operator=(const Identity&) = delete;
  virtual ~Identity() = default;

  virtual const PublicIdentity& pub() const = 0;
  /// r and s, 64 bytes.
  virtual Result<Bytes> sign(ByteView message) const = 0;
};

/// An identity whose private key was read from what protects it at rest.
class FileIdentity : public Identity {
 public:
  static Result<std::unique_ptr<FileIdentity>> generate();
  /// The private scalar, 32 bytes, as private_key() gives it.
  static Result<std::unique_ptr<FileIdentity>> from_private_key(ByteView scalar);

  const PublicIdentity& pub() const override { return public_; }
  Result<Bytes> sign(ByteView message) const override;
  /// For sealing at rest only.
  Result<Secret> private_key() const;

 private:
  FileIdentity() = default;
  PublicIdentity public_;
  std::shared_ptr<evp_pkey_st> key_;
};

}  // namespace sotto::keys
