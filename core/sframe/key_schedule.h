// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
//
// From a base key to what encrypts: RFC 9605 sections 4.4.2 (derivation) and 5.1 (ratchet).
#pragma once

#include "core/base/secret.h"
#include "core/sframe/suite.h"

#include <array>

namespace sotto::sframe {

struct FrameKeys {
  Secret key;  ///< Nk bytes.
  std::array<std::uint8_t, kNonceSize> salt{};
};

/// Base keys are 16 to 64 bytes: less is guessable, more than the hash adds nothing.
inline constexpr std::size_t kMinBaseKey = 16;
inline constexpr std::size_t kMaxBaseKey = 64;

Result<FrameKeys> derive(Suite suite, std::uint64_t kid, ByteView base_key);

/// The base key of the next step. The one before cannot be found from it.
Result<Secret> ratchet(Suite suite, ByteView base_key);

}  // namespace sotto::sframe
