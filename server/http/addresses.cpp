// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "server/http/addresses.h"

#include <gio/gio.h>

#include <algorithm>
#include <charconv>

namespace sotto::server {

Result<ListenAddress> parse_listen(std::string_view text) {
  const auto bad = [&text] {
    return fail(ErrorCode::kInvalid, "\"" + std::string(text) +
                                         "\" is not an address to listen on: write 127.0.0.1:8080 "
                                         "or [::]:8443");
  };
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos) return bad();
  std::string_view host = text.substr(0, colon);
  const std::string_view port_text = text.substr(colon + 1);
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string_view::npos) {
    return bad();
  }
  ListenAddress address{.host = std::string(host)};
  const auto parsed =
      std::from_chars(port_text.data(), port_text.data() + port_text.size(), address.port);
  if (port_text.empty() || parsed.ec != std::errc() ||
      parsed.ptr != port_text.data() + port_text.size()) {
    return bad();
  }
  if (address.host != "localhost" && g_hostname_is_ip_address(address.host.c_str()) == FALSE) {
    return bad();
  }
  return address;
}

bool is_loopback(std::string_view host) {
  if (host == "localhost") return true;
  const std::string text = plain_address(host);
  g_autoptr(GInetAddress) address = g_inet_address_new_from_string(text.c_str());
  return address != nullptr && g_inet_address_get_is_loopback(address) != FALSE;
}

std::string plain_address(std::string_view address) {
  constexpr std::string_view kMapped = "::ffff:";
  if (address.substr(0, kMapped.size()) == kMapped &&
      address.find('.', kMapped.size()) != std::string_view::npos) {
    return std::string(address.substr(kMapped.size()));
  }
  return std::string(address);
}

std::string checked_host(std::string_view header) {
  constexpr std::size_t kMaxHost = 255 + 6;
  if (header.empty() || header.size() > kMaxHost) return {};
  const bool clean = std::all_of(header.begin(), header.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '-' || c == '_' || c == ':' || c == '[' || c == ']';
  });
  return clean ? std::string(header) : std::string();
}

std::string host_of(std::string_view host_and_port) {
  if (!host_and_port.empty() && host_and_port.front() == '[') {
    const auto end = host_and_port.find(']');
    return std::string(host_and_port.substr(1, end == std::string_view::npos ? end : end - 1));
  }
  return std::string(host_and_port.substr(0, host_and_port.find(':')));
}

Result<TrustedProxies> TrustedProxies::parse(const std::vector<std::string>& networks) {
  TrustedProxies proxies;
  for (const auto& network : networks) {
    g_autoptr(GInetAddressMask) mask =
        g_inet_address_mask_new_from_string(network.c_str(), nullptr);
    if (mask == nullptr) {
      return fail(ErrorCode::kInvalid, "\"" + network +
                                           "\" is neither an address nor a network: write "
                                           "127.0.0.1 or 10.0.0.0/8");
    }
    proxies.networks_.push_back(network);
  }
  return proxies;
}

bool TrustedProxies::trusts(const std::string& address) const {
  if (networks_.empty()) return false;
  g_autoptr(GInetAddress) inet = g_inet_address_new_from_string(address.c_str());
  if (inet == nullptr) return false;
  return std::any_of(networks_.begin(), networks_.end(), [inet](const std::string& network) {
    g_autoptr(GInetAddressMask) mask =
        g_inet_address_mask_new_from_string(network.c_str(), nullptr);
    return mask != nullptr && g_inet_address_mask_matches(mask, inet) != FALSE;
  });
}

std::string TrustedProxies::client_of(const std::string& remote,
                                      std::string_view forwarded_for) const {
  std::string client = remote;
  // From the right: each proxy appended the address it saw. The first one we do not trust is the
  // client; what stands left of it anybody could have written.
  while (trusts(client) && !forwarded_for.empty()) {
    const auto comma = forwarded_for.rfind(',');
    std::string_view last =
        comma == std::string_view::npos ? forwarded_for : forwarded_for.substr(comma + 1);
    forwarded_for =
        comma == std::string_view::npos ? std::string_view() : forwarded_for.substr(0, comma);
    while (!last.empty() && last.front() == ' ') last.remove_prefix(1);
    while (!last.empty() && last.back() == ' ') last.remove_suffix(1);
    const std::string next = plain_address(last);
    if (g_hostname_is_ip_address(next.c_str()) == FALSE) break;
    client = next;
  }
  return client;
}

}  // namespace sotto::server
