// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "server/auth/feature.h"

#include "core/base/json.h"
#include "server/auth/auth.h"
#include "server/http/router.h"

#include <nlohmann/json.hpp>

#include <chrono>

namespace sotto::server {
namespace {

constexpr std::size_t kMaxBody = 16U << 10U;
constexpr std::chrono::seconds kDefaultTokenLife{24 * 3600};

std::int64_t in(std::chrono::seconds life) {
  return std::chrono::duration_cast<std::chrono::seconds>(
             (std::chrono::system_clock::now() + life).time_since_epoch())
      .count();
}

/// 429 with the time to wait, where the brake is on; the table's answer otherwise.
HttpResponse login_problem(Auth& auth, const std::string& name, const HttpRequest& request,
                           const Error& error) {
  HttpResponse response = problem(error);
  if (error.code != ErrorCode::kUnavailable) return response;
  const auto wait = auth.login_wait(name, request.address);
  if (wait.count() > 0) response.status = 429;
  response.headers.emplace("Retry-After", std::to_string(std::max<std::int64_t>(wait.count(), 1)));
  return response;
}

/// The answer that carries a fresh log-in.
void welcome(Auth& auth, const ExchangePtr& exchange, const Principal& who) {
  const auto token = auth.issue(who, who.subject, who.scopes, kLoginLife);
  if (!token) {
    exchange->respond(problem(token.error()));
    return;
  }
  const nlohmann::json answer = {
      {"token", *token}, {"scopes", who.scopes}, {"expires", in(kLoginLife)}};
  exchange->respond(HttpResponse::json(200, answer.dump()));
}

void log_in(Auth& auth, const ExchangePtr& exchange) {
  const auto body = parse_json_object(exchange->request().body);
  if (!body) {
    exchange->respond(problem(body.error()));
    return;
  }
  const std::string name = json_text(*body, "name");
  const std::string password = json_text(*body, "password");
  if (name.empty() || password.empty()) {
    exchange->respond(problem({ErrorCode::kInvalid, "send name and password"}));
    return;
  }
  auth.log_in(name, password, exchange->request().address,
              [&auth, exchange, name](const Result<Principal>& who) {
                if (!who) {
                  exchange->respond(login_problem(auth, name, exchange->request(), who.error()));
                  return;
                }
                welcome(auth, exchange, *who);
              });
}

void change_password(Auth& auth, const ExchangePtr& exchange) {
  const auto body = parse_json_object(exchange->request().body);
  if (!body) {
    exchange->respond(problem(body.error()));
    return;
  }
  const Principal who = exchange->request().principal;
  auth.change_password(
      who.subject, json_text(*body, "current"), json_text(*body, "new"),
      exchange->request().address, [&auth, exchange, who](const Result<>& done) {
        if (done) return welcome(auth, exchange, who);
        // Not 401: the token is good, and pages take a 401 for a log-in that has ended.
        HttpResponse response = login_problem(auth, who.subject, exchange->request(), done.error());
        if (done.error().code == ErrorCode::kUnauthenticated) {
          response = problem({ErrorCode::kDenied, "the current password is wrong"});
        }
        exchange->respond(std::move(response));
      });
}

void issue(Auth& auth, const ExchangePtr& exchange) {
  const auto body = parse_json_object(exchange->request().body);
  if (!body) {
    exchange->respond(problem(body.error()));
    return;
  }
  const auto refuse = [&exchange](const char* why) {
    exchange->respond(problem({ErrorCode::kInvalid, why}));
  };
  std::vector<std::string> scopes;
  const auto listed = body->find("scopes");
  if (listed == body->end() || !listed->is_array()) return refuse("scopes is a list of words");
  for (const auto& scope : *listed) {
    if (!scope.is_string()) return refuse("scopes is a list of words");
    scopes.push_back(scope.get<std::string>());
  }
  std::chrono::seconds life = kDefaultTokenLife;
  if (const auto seconds = body->find("seconds"); seconds != body->end()) {
    if (!seconds->is_number_integer()) return refuse("seconds is a whole number");
    life = std::chrono::seconds(seconds->get<std::int64_t>());
  }
  const std::string subject = json_text(*body, "subject");
  if (subject.empty()) return refuse("subject says for whom the token is");
  const auto token = auth.issue_listed(exchange->request().principal, subject, scopes, life);
  if (!token) {
    exchange->respond(problem(token.error()));
    return;
  }
  const auto who = auth.verify(*token);
  const nlohmann::json answer = {{"token", *token},
                                 {"id", who ? who->token_id : ""},
                                 {"subject", subject},
                                 {"scopes", scopes},
                                 {"expires", in(life)}};
  exchange->respond(HttpResponse::json(201, answer.dump()));
}

void list(Auth& auth, const ExchangePtr& exchange) {
  nlohmann::json tokens = nlohmann::json::array();
  for (const auto& token : auth.issued()) {
    tokens.push_back({{"id", token.id},
                      {"subject", token.subject},
                      {"scopes", token.scopes},
                      {"expires", token.expires}});
  }
  exchange->respond(HttpResponse::json(200, nlohmann::json{{"tokens", tokens}}.dump()));
}

/// Administrators may revoke any token, everybody else the one they came with: that is logging out.
void revoke(Auth& auth, const ExchangePtr& exchange) {
  const HttpRequest& request = exchange->request();
  const std::string& id = request.params.at("jti");
  if (!request.principal.known()) {
    exchange->respond(problem({ErrorCode::kUnauthenticated, "log in, or send a token"}));
    return;
  }
  if (id != request.principal.token_id && !request.principal.may("admin")) {
    exchange->respond(problem({ErrorCode::kDenied, "only an administrator may do this"}));
    return;
  }
  const auto done = auth.revoke(id);
  exchange->respond(done ? HttpResponse::empty(204) : problem(done.error()));
}

void tell_who(const ExchangePtr& exchange) {
  const Principal& who = exchange->request().principal;
  if (!who.known()) {
    exchange->respond(problem({ErrorCode::kUnauthenticated, "log in, or send a token"}));
    return;
  }
  const nlohmann::json answer = {
      {"subject", who.subject}, {"scopes", who.scopes}, {"token", who.token_id}};
  exchange->respond(HttpResponse::json(200, answer.dump()));
}

}  // namespace

AuthFeature::AuthFeature(Context& context) {
  Auth& auth = context.auth;
  Router& router = context.router;
  const RouteOptions small{.max_body = kMaxBody};
  router.add(Listener::kMain, "POST", "/v1/login", Access::open(), small,
             [&auth](const ExchangePtr& exchange) { log_in(auth, exchange); });
  router.add(Listener::kMain, "POST", "/v1/password", Access::with("admin"), small,
             [&auth](const ExchangePtr& exchange) { change_password(auth, exchange); });
  router.add(Listener::kMain, "POST", "/v1/tokens", Access::with("admin"), small,
             [&auth](const ExchangePtr& exchange) { issue(auth, exchange); });
  router.add(Listener::kMain, "GET", "/v1/tokens", Access::with("admin"), small,
             [&auth](const ExchangePtr& exchange) { list(auth, exchange); });
  router.add(Listener::kMain, "DELETE", "/v1/tokens/{jti}", Access::own(), small,
             [&auth](const ExchangePtr& exchange) { revoke(auth, exchange); });
  router.add(Listener::kMain, "GET", "/v1/me", Access::own(), small, tell_who);
}

}  // namespace sotto::server
