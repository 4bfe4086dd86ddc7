// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/auth/jwt.h"

#include "core/base/json.h"

#include <nlohmann/json.hpp>

namespace sotto {
namespace {

constexpr const char* kHeader = R"({"alg":"ES256","typ":"JWT"})";

tl::unexpected<Error> refuse(const char* why) { return fail(ErrorCode::kUnauthenticated, why); }

}  // namespace

Result<std::string> sign_token(const TokenClaims& claims, const SigningKey& key) {
  const nlohmann::json body = {{"sub", claims.subject},         {"scope", claims.scopes},
                               {"aud", claims.audience},        {"jti", claims.id},
                               {"exp", claims.expires.count()}, {"iat", claims.issued.count()}};
  std::string text;
  try {
    text = body.dump();
  } catch (const nlohmann::json::exception&) {
    return fail(ErrorCode::kInvalid, "a token's claims must be UTF-8");
  }
  std::string token = to_base64url(as_bytes(kHeader)) + '.' + to_base64url(as_bytes(text));
  const auto signature = key.sign(as_bytes(token));
  if (!signature) return tl::unexpected(signature.error());
  token += '.' + to_base64url(*signature);
  if (token.size() > kMaxTokenBytes) return fail(ErrorCode::kTooLarge, "too many scopes");
  return token;
}

Result<TokenClaims> verify_token(std::string_view token, const SigningKey& key,
                                 std::string_view audience, std::chrono::seconds now) {
  if (token.size() > kMaxTokenBytes) return refuse("not a token: too long");
  const auto first = token.find('.');
  const auto last = token.rfind('.');
  if (first == std::string_view::npos || first == last) return refuse("not a token");
  const auto header = from_base64url(token.substr(0, first));
  const auto body = from_base64url(token.substr(first + 1, last - first - 1));
  const auto signature = from_base64url(token.substr(last + 1));
  if (!header || !body || !signature) return refuse("not a token");

  // The algorithm is ours to choose, not the token's; it must merely agree.
  const auto head = parse_json_object(as_text(*header));
  if (!head || json_text(*head, "alg") != "ES256" || head->contains("crit")) {
    return refuse("not a token of this server: its algorithm is not ES256");
  }
  // The signature comes before a single claim is looked at.
  if (!key.verify(as_bytes(token.substr(0, last)), *signature)) {
    return refuse("not a token of this server: its signature is wrong");
  }
  const auto claims = parse_json_object(as_text(*body));
  if (!claims) return refuse("the token's claims cannot be read");
  const auto exp = claims->find("exp");
  const auto scope = claims->find("scope");
  if (exp == claims->end() || !exp->is_number_integer() || scope == claims->end() ||
      !scope->is_array() || scope->size() > kMaxTokenScopes) {
    return refuse("the token lacks a claim");
  }
  TokenClaims out{.subject = json_text(*claims, "sub"),
                  .audience = json_text(*claims, "aud"),
                  .id = json_text(*claims, "jti"),
                  .expires = std::chrono::seconds(exp->get<std::int64_t>())};
  if (const auto iat = claims->find("iat"); iat != claims->end()) {
    if (!iat->is_number_integer()) return refuse("the token's iat is not a number");
    out.issued = std::chrono::seconds(iat->get<std::int64_t>());
  }
  for (const auto& each : *scope) {
    if (!each.is_string()) return refuse("the token's scope is not a list of words");
    out.scopes.push_back(each.get<std::string>());
  }
  if (out.subject.empty() || out.id.empty()) return refuse("the token lacks a claim");
  if (out.audience != audience) return refuse("the token is for another server");
  if (out.expires <= now) return refuse("the token has expired");
  return out;
}

}  // namespace sotto
