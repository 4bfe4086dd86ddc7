// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "pipelines/camera/address.h"

#include "core/base/bytes.h"

#include <algorithm>
#include <cctype>
#include <utility>

namespace sotto::camera {
namespace {

constexpr std::string_view kPlain = "rtsp://";
constexpr std::string_view kSecure = "rtsps://";

// RFC 3986, 2.1; what is not a valid escape stays as it is, as cameras' passwords have it.
std::string unescape(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size()) {
      std::string digits(text.substr(i + 1, 2));
      std::transform(digits.begin(), digits.end(), digits.begin(),
                     [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
      if (const auto byte = from_hex(digits)) {
        out += static_cast<char>(byte->front());
        i += 2;
        continue;
      }
    }
    out += text[i];
  }
  return out;
}

}  // namespace

Result<Transport> parse_transport(std::string_view name) {
  if (name == "tcp") return Transport::kTcp;
  if (name == "udp") return Transport::kUdp;
  if (name == "tls") return Transport::kTls;
  return fail(ErrorCode::kInvalid, "transport must be tcp, udp or tls");
}

Result<Address> parse_address(std::string_view url, Address given) {
  if (url.size() > kMaxUrlBytes) return fail(ErrorCode::kTooLarge, "url is too long");
  const bool clean =
      std::all_of(url.begin(), url.end(), [](unsigned char c) { return c > 0x20 && c != 0x7F; });
  if (!clean) return fail(ErrorCode::kInvalid, "url must not hold spaces or control characters");
  Address address = std::move(given);
  if (url == "demo:") {
    address.url = url;
    return address;
  }
  const bool secure = url.starts_with(kSecure);
  if (!secure && !url.starts_with(kPlain)) {
    return fail(ErrorCode::kInvalid, "url must begin with rtsp:// or rtsps://, or be demo:");
  }
  if (secure && address.transport == Transport::kUdp) {
    return fail(ErrorCode::kInvalid, "rtsps:// carries everything in TLS: transport cannot be udp");
  }
  if (secure) address.transport = Transport::kTls;
  std::string_view rest = url.substr(secure ? kSecure.size() : kPlain.size());
  const std::string_view authority = rest.substr(0, rest.find_first_of("/?#"));
  std::string_view host = authority;
  if (const auto at = authority.rfind('@'); at != std::string_view::npos) {
    const std::string_view log_in = authority.substr(0, at);
    host = authority.substr(at + 1);
    rest.remove_prefix(at + 1);
    if (address.user.empty()) {
      const auto colon = std::min(log_in.find(':'), log_in.size());
      address.user = unescape(log_in.substr(0, colon));
      if (colon < log_in.size()) address.password = unescape(log_in.substr(colon + 1));
    }
  }
  if (host.empty() || host.front() == ':') return fail(ErrorCode::kInvalid, "url names no host");
  address.url = address.transport == Transport::kTls ? kSecure : kPlain;
  address.url += rest;
  return address;
}

}  // namespace sotto::camera
