// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What a device says of devices, signed (docs/encodings.md, "Statements"): that another one is the
// same person's, or that one is not to be trusted any more.
#pragma once

#include "core/keys/identity.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sotto::keys {

inline constexpr std::size_t kMaxStatement = 512;

/// "This other device is mine, too."
struct DeviceLink {
  PublicIdentity by;
  PublicIdentity device;
  std::uint64_t at = 0;  ///< Milliseconds UTC.
};

/// "Trust this device no longer." A device may say it of itself and of those it has linked; whether
/// it has is for the reader to know.
struct Revocation {
  PublicIdentity by;
  IdentityId device{};
  std::uint64_t at = 0;
  std::string reason;  ///< "lost", "compromised" or "retired".
};

bool is_reason(std::string_view text);

Result<Bytes> sign_link(const Identity& by, const PublicIdentity& device, std::uint64_t at);
/// kInvalid: no such reason.
Result<Bytes> sign_revocation(const Identity& by, const IdentityId& device, std::uint64_t at,
                              std::string_view reason);

/// kParse: not one; kCrypto: its signature does not hold.
Result<DeviceLink> parse_link(ByteView bytes);
Result<Revocation> parse_revocation(ByteView bytes);

}  // namespace sotto::keys
