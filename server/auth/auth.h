// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// Passwords, tokens and the brake on guessing.
#pragma once

#include "core/base/error.h"
#include "server/auth/principal.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace sotto::server {

/// A log-in lasts for a working day.
constexpr std::chrono::hours kLoginLife{12};
constexpr std::chrono::hours kMaxTokenLife{24 * 366};
constexpr std::size_t kMinPasswordBytes = 12;

class Auth {
 public:
  struct IssuedToken {
    std::string id;
    std::string subject;
    std::vector<std::string> scopes;
    std::int64_t expires = 0;  ///< Seconds since 1970, UTC.
  };

  virtual ~Auth() = default;
  /// Checks a JWT (ES256; claims sub, scope, exp, aud, jti) against our key. kUnauthenticated says
  /// why.
  virtual Result<Principal> verify(std::string_view token) = 0;
  /// Signs a token. Scopes the issuer does not have itself are refused (kDenied).
  virtual Result<std::string> issue(const Principal& issuer, std::string subject,
                                    std::vector<std::string> scopes, std::chrono::seconds life) = 0;
  /// The same, remembered so that it can be listed and revoked.
  virtual Result<std::string> issue_listed(const Principal& issuer, std::string subject,
                                           std::vector<std::string> scopes,
                                           std::chrono::seconds life) = 0;
  virtual std::vector<IssuedToken> issued() const = 0;
  /// Nobody may use the token any more, now and after a restart.
  virtual Result<> revoke(const std::string& token_id) = 0;
  /// Log-in with a password. After a few failures from one address, or many for one name, the
  /// answer is kUnavailable for longer and longer (see login_wait). `done` may come later.
  virtual void log_in(const std::string& name, const std::string& password,
                      const std::string& address, std::function<void(Result<Principal>)> done) = 0;
  /// Needs the current password, with the same brake as a log-in. Ends every log-in of that name;
  /// links and other listed tokens stay. kInvalid when `next` is shorter than kMinPasswordBytes.
  virtual void change_password(const std::string& name, const std::string& current,
                               const std::string& next, const std::string& address,
                               std::function<void(Result<>)> done) = 0;
  /// How long this client has to wait before it may try a password again.
  virtual std::chrono::seconds login_wait(const std::string& name,
                                          const std::string& address) const = 0;
};

}  // namespace sotto::server
