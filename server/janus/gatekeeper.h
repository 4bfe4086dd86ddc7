// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// Who may use the Janus API: API secret, sotto's own tokens, HMAC-signed tokens.
//
// Any one of the configured ways passes. Without a secret, without a token secret and without
// `open`, only sotto's tokens do. Secrets are compared in constant time.
#pragma once

#include "server/auth/principal.h"

#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>

namespace sotto::server {
class Auth;
struct Config;
}  // namespace sotto::server

namespace sotto::server::janus {

/// What a request was admitted with.
struct Grant {
  Principal principal;
  /// Plugins a signed token names; null: all.
  std::optional<std::set<std::string>> plugins;

  bool may_attach(const std::string& package) const {
    return !plugins || plugins->count(package) != 0;
  }
};

class Gatekeeper {
 public:
  /// Seconds since 1970; tests set their own.
  using Clock = std::function<std::int64_t()>;

  Gatekeeper(const Config& config, Auth& auth, Clock clock = {});

  /// Null: refuse with 403. `transport` is whom the transport already identified by an
  /// Authorization header, if anybody.
  std::optional<Grant> admit(const std::string& api_secret, const std::string& token,
                             const Principal& transport) const;

  /// True when `token` is `expiry,realm[,desc…]:base64(HMAC-SHA1(secret, part before ':'))`, not
  /// expired, for this realm, and names `desc` (unless that is empty). For rooms with signed
  /// tokens.
  bool signed_for(std::string_view token, std::string_view realm, std::string_view desc) const;

  /// The holder of the API secret: views and publishes everything, manages what the Janus API
  /// manages.
  static Principal trusted(std::string subject);
  /// True for those who may create and change what plugins serve, if a plugin asks no admin key.
  static bool may_manage(const Principal& principal);

 private:
  std::optional<std::set<std::string>> signed_descriptions(std::string_view token,
                                                           std::string_view realm) const;

  const Config& config_;
  Auth& auth_;
  Clock clock_;
};

}  // namespace sotto::server::janus
