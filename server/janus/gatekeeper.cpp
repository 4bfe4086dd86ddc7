// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "server/janus/gatekeeper.h"

#include "core/base/bytes.h"
#include "server/auth/auth.h"
#include "server/config/config.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <charconv>
#include <ctime>

namespace sotto::server::janus {
namespace {

constexpr std::size_t kMaxTokenBytes = 4096;
constexpr const char* kManageScope = "janus:manage";

bool same_secret(const std::string& configured, const std::string& given) {
  return !configured.empty() && equal_constant_time(as_bytes(configured), as_bytes(given));
}

}  // namespace

Gatekeeper::Gatekeeper(const Config& config, Auth& auth, Clock clock)
    : config_(config), auth_(auth), clock_(std::move(clock)) {
  if (!clock_) clock_ = [] { return static_cast<std::int64_t>(std::time(nullptr)); };
}

Principal Gatekeeper::trusted(std::string subject) {
  return {std::move(subject), {"stream:*:view", "stream:*:publish", kManageScope}};
}

bool Gatekeeper::may_manage(const Principal& principal) {
  return principal.may(kManageScope) || principal.may("admin");
}

std::optional<Grant> Gatekeeper::admit(const std::string& api_secret, const std::string& token,
                                       const Principal& transport) const {
  const auto& janus = config_.janus;
  // A token is looked at first: it says who asks, the secret only that somebody may.
  if (!token.empty() && token.size() <= kMaxTokenBytes) {
    if (auto principal = auth_.verify(token)) return Grant{std::move(*principal), std::nullopt};
    if (auto plugins = signed_descriptions(token, "janus")) {
      return Grant{{"signed-token", {"stream:*:view", "stream:*:publish"}}, std::move(plugins)};
    }
  }
  if (transport.known()) return Grant{transport, std::nullopt};
  if (same_secret(janus.api_secret, api_secret)) return Grant{trusted("api-secret"), std::nullopt};
  if (janus.open) return Grant{trusted("open"), std::nullopt};
  return std::nullopt;
}

bool Gatekeeper::signed_for(std::string_view token, std::string_view realm,
                            std::string_view desc) const {
  const auto descriptions = signed_descriptions(token, realm);
  return descriptions && (desc.empty() || descriptions->count(std::string(desc)) != 0);
}

std::optional<std::set<std::string>> Gatekeeper::signed_descriptions(std::string_view token,
                                                                     std::string_view realm) const {
  const std::string& secret = config_.janus.token_auth_secret;
  if (secret.empty() || token.size() > kMaxTokenBytes) return std::nullopt;
  const auto colon = token.find(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const std::string_view text = token.substr(0, colon);
  const auto signature = from_base64(token.substr(colon + 1));
  if (!signature) return std::nullopt;
  std::array<std::uint8_t, EVP_MAX_MD_SIZE> digest{};
  unsigned length = 0;
  if (HMAC(EVP_sha1(), secret.data(), static_cast<int>(secret.size()), as_bytes(text).data(),
           text.size(), digest.data(), &length) == nullptr ||
      !equal_constant_time(ByteView(digest).first(length), *signature)) {
    return std::nullopt;
  }

  std::vector<std::string_view> fields;
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t comma = std::min(text.find(',', at), text.size());
    fields.push_back(text.substr(at, comma - at));
    at = comma + 1;
  }
  std::int64_t expiry = 0;
  const auto [end, error] =
      std::from_chars(fields[0].data(), fields[0].data() + fields[0].size(), expiry);
  if (error != std::errc{} || end != fields[0].data() + fields[0].size() || expiry <= clock_()) {
    return std::nullopt;
  }
  if (fields.size() < 2 || fields[1] != realm) return std::nullopt;
  return std::set<std::string>(fields.begin() + 2, fields.end());
}

}  // namespace sotto::server::janus
