// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
//
// JSON Web Tokens (RFC 7519) with ES256 (RFC 7518 section 3.4) and nothing else: the header is
// fixed, so there is no algorithm to confuse.
#pragma once

#include "core/auth/es256.h"
#include "core/base/error.h"

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

namespace sotto {

struct TokenClaims {
  std::string subject;
  std::vector<std::string> scopes;
  std::string audience;
  std::string id;                  ///< jti
  std::chrono::seconds expires{};  ///< Since 1970, UTC.
  std::chrono::seconds issued{};   ///< iat; 0 in a token without one.
};

constexpr std::size_t kMaxTokenBytes = 4096;
constexpr std::size_t kMaxTokenScopes = 64;

Result<std::string> sign_token(const TokenClaims& claims, const SigningKey& key);

/// kUnauthenticated for everything that is not a token of this key for this audience that is valid
/// `now`.
Result<TokenClaims> verify_token(std::string_view token, const SigningKey& key,
                                 std::string_view audience, std::chrono::seconds now);

}  // namespace sotto
