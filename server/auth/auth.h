// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// Passwords, tokens and the brake on guessing.
#pragma once

#include "core/base/error.h"
#include "server/auth/principal.h"

#include <chrono>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace sotto::server {

class Auth {
 public:
  virtual ~Auth() = default;
  /// Checks a JWT (ES256; claims sub, scope, exp, aud, jti) against our key. kUnauthenticated says
  /// why.
  virtual Result<Principal> verify(std::string_view token) = 0;
  /// Signs a token. Scopes the issuer does not have itself are refused (kDenied).
  virtual Result<std::string> issue(const Principal& issuer, std::string subject,
                                    std::vector<std::string> scopes, std::chrono::seconds life) = 0;
  /// Log-in with a password. Failures from one address or for one name are answered slower and
  /// slower, then with kUnavailable and the time to wait. `done` may come later.
  virtual void log_in(const std::string& name, const std::string& password,
                      const std::string& address, std::function<void(Result<Principal>)> done) = 0;
};

}  // namespace sotto::server
