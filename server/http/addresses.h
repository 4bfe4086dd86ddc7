// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// Addresses: where to listen, who a client is, which proxies are believed.
#pragma once

#include "core/base/error.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace sotto::server {

struct ListenAddress {
  std::string host;  ///< An IP address or "localhost".
  std::uint16_t port = 0;
};

/// "127.0.0.1:8080", "[::]:8443", "localhost:0".
Result<ListenAddress> parse_listen(std::string_view text);

/// Loopback address or the name localhost.
bool is_loopback(std::string_view host);

/// IPv4 addresses that arrive on an IPv6 socket (::ffff:a.b.c.d) are written as IPv4.
std::string plain_address(std::string_view address);

/// host[:port] of a Host header; empty when it holds anything but a name or an address.
std::string checked_host(std::string_view header);
/// The host alone, without port and brackets.
std::string host_of(std::string_view host_and_port);

/// Proxies whose X-Forwarded-For is believed: addresses or networks (10.0.0.0/8).
class TrustedProxies {
 public:
  TrustedProxies() = default;
  static Result<TrustedProxies> parse(const std::vector<std::string>& networks);
  bool trusts(const std::string& address) const;
  /// The client behind the proxies: the last address in the header that is none of them.
  std::string client_of(const std::string& remote, std::string_view forwarded_for) const;

 private:
  std::vector<std::string> networks_;
};

}  // namespace sotto::server
