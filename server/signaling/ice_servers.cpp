// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "server/signaling/ice_servers.h"

#include "core/base/bytes.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <array>

namespace sotto::server {
namespace {

std::string hmac_sha1(std::string_view secret, std::string_view text) {
  std::array<std::uint8_t, EVP_MAX_MD_SIZE> digest{};
  unsigned length = 0;
  const auto bytes = as_bytes(text);
  if (HMAC(EVP_sha1(), secret.data(), static_cast<int>(secret.size()), bytes.data(), bytes.size(),
           digest.data(), &length) == nullptr) {
    return {};
  }
  return to_base64({digest.data(), length});
}

/// A quoted-string of RFC 9110, 5.6.4.
std::string quoted_string(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + '"';
}

}  // namespace

std::vector<rtc::IceServer> ice_servers_for(const RtcConfig& config, std::string_view subject,
                                            std::chrono::system_clock::time_point now) {
  auto servers = config.ice_servers;
  if (!config.turn_url.empty()) {
    const auto end = std::chrono::duration_cast<std::chrono::seconds>(
        (now + config.turn_life).time_since_epoch());
    rtc::IceServer turn;
    turn.url = config.turn_url;
    turn.username = std::to_string(end.count()) + ":" + std::string(subject);
    turn.credential = hmac_sha1(config.turn_secret, turn.username);
    servers.push_back(std::move(turn));
  }
  return servers;
}

std::string link_header(const rtc::IceServer& server) {
  std::string link = "<" + server.url + ">; rel=\"ice-server\"";
  if (!server.username.empty()) {
    link += "; username=" + quoted_string(server.username) +
            "; credential=" + quoted_string(server.credential) + "; credential-type=\"password\"";
  }
  return link;
}

rtc::PeerOptions peer_options(const RtcConfig& config, std::string label) {
  rtc::PeerOptions options;
  options.label = std::move(label);
  options.ice_servers = config.ice_servers;
  options.min_port = config.min_port;
  options.max_port = config.max_port;
  options.loopback_candidates = config.loopback_candidates;
  options.connect_deadline = config.connect_deadline;
  options.silence_deadline = config.silence_deadline;
  return options;
}

}  // namespace sotto::server
