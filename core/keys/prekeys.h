// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Signed prekeys: an X25519 and a P-256 key which a device's identity vouches for during some days
// (docs/encodings.md, "Prekey bundle").
#pragma once

#include "core/keys/agreement.h"
#include "core/keys/identity.h"

#include <chrono>
#include <cstdint>
#include <optional>

namespace sotto::keys {

/// Seconds since 1970.
using WallTime = std::chrono::seconds;

inline constexpr std::size_t kMaxBundle = 2048;
inline constexpr WallTime kPrekeyLife = std::chrono::hours(7 * 24);
inline constexpr WallTime kPrekeyRenewal = std::chrono::hours(24);
inline constexpr WallTime kMaxPrekeyLife = std::chrono::hours(30 * 24);
/// By how much two devices' clocks may differ.
inline constexpr WallTime kClockSkew = std::chrono::hours(24);

/// Somebody's bundle after its signatures were checked.
struct PrekeyBundle {
  PublicIdentity identity;
  struct Prekey {
    std::uint32_t id = 0;
    WallTime not_before{};
    WallTime not_after{};
    Bytes key;  ///< 32 bytes X25519, 65 bytes P-256.
  };
  std::array<Prekey, kLayers> prekeys;  ///< Layer 1 (X25519), layer 2 (P-256).
  /// The id this one took over from, when that one signed for it.
  std::optional<IdentityId> predecessor;
};

/// Refuses a bundle of another identity, wrong signatures, and prekeys that are not valid at `now`.
Result<PrekeyBundle> parse_bundle(ByteView bytes, WallTime now);

/// This device's prekeys with their private halves, the last ones included.
class Prekeys {
 public:
  static Result<Prekeys> generate(const Identity& identity, WallTime now);
  /// Keys that were made elsewhere, layer 1 and 2.
  static Result<Prekeys> from_keys(const Identity& identity, std::uint32_t id, WallTime made,
                                   std::array<AgreementKey, kLayers> keys);

  /// Makes new ones when the present ones are a day old; the former ones are kept, those before
  /// wiped. True when the bundle is another one now.
  Result<bool> renew(const Identity& identity, WallTime now);
  /// Signed by the identity before this one, so that others need not be told (docs/encodings.md).
  Result<> set_succession(const Identity& identity, const Identity& former);

  const Bytes& bundle() const { return bundle_; }
  /// Null when there is none of this id (any more).
  const AgreementKey* find(unsigned layer, std::uint32_t id) const;

 private:
  struct Pair {
    std::uint32_t id = 0;
    WallTime made{};
    std::array<AgreementKey, kLayers> keys;
  };
  static Result<Pair> make(WallTime now);
  Result<> write_bundle(const Identity& identity);

  Pair present_;
  std::optional<Pair> former_;
  Bytes succession_;
  Bytes bundle_;
};

}  // namespace sotto::keys
