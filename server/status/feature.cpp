// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "server/status/feature.h"

#include "server/base/events.h"
#include "server/base/files.h"
#include "server/config/config.h"
#include "server/http/router.h"
#include "server/registry/registry.h"

#include <nlohmann/json.hpp>

namespace sotto::server {
namespace {

constexpr std::size_t kMaxPem = 64U << 10U;
constexpr std::size_t kMaxWatchers = 100;
constexpr const char* kEventsProtocol = "sotto.events.v1";

std::string to_text(const Event& event) {
  const nlohmann::json json = {
      {"name", event.name}, {"time_ms", event.time_ms}, {"details", event.details}};
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

nlohmann::json status(const Registry& registry) {
  std::map<std::string, std::size_t> states;
  std::size_t viewers = 0;
  for (const auto& source : registry.all()) {
    const auto info = source->info();
    ++states[std::string(rtc::name_of(info.state))];
    viewers += info.viewers;
  }
  return {{"version", SOTTO_VERSION}, {"sources", states}, {"viewers", viewers}};
}

}  // namespace

StatusFeature::StatusFeature(Context& context) {
  Router& router = context.router;
  const auto say_ok = [](const ExchangePtr& exchange) {
    exchange->respond(HttpResponse::text(200, "ok\n"));
  };
  // Alive: the loop answers. Ready: the same, and the router refuses everything once a stop began.
  router.add(Listener::kMain, "GET", "/healthz", Access::open(), {}, say_ok);
  router.add(Listener::kMain, "GET", "/readyz", Access::open(), {}, say_ok);
  router.add(Listener::kMain, "GET", "/v1/status", Access::with("status:read"), {},
             [this, &registry = context.registry](const ExchangePtr& exchange) {
               nlohmann::json told = status(registry);
               told["uptime_s"] = std::chrono::duration_cast<std::chrono::seconds>(
                                      std::chrono::steady_clock::now() - started_)
                                      .count();
               exchange->respond(HttpResponse::json(200, told.dump()));
             });
  // Open, because a device that does not trust us yet is the one that needs it.
  router.add(Listener::kMain, "GET", "/v1/ca.pem", Access::open(), {},
             [&config = context.config](const ExchangePtr& exchange) {
               const auto pem = read_small_file(config.data_dir / "ca.pem", kMaxPem);
               if (!pem || !config.http.certificate.empty()) {
                 exchange->respond(problem(
                     {ErrorCode::kNotFound, "the certificate is not of a local authority"}));
                 return;
               }
               exchange->respond(
                   {.status = 200,
                    .content_type = "application/x-x509-ca-cert",
                    .body = *pem,
                    .headers = {{"Content-Disposition", "attachment; filename=\"sotto-ca.pem\""}}});
             });
  router.add_websocket(Listener::kMain, "/v1/events", Access::with("events:read"),
                       {.protocols = {kEventsProtocol}, .max_message = 1024},
                       [this, &events = context.events](const std::shared_ptr<WebSocket>& socket) {
                         watch(events, socket);
                       });
}

void StatusFeature::watch(EventBus& events, const std::shared_ptr<WebSocket>& socket) {
  if (watchers_.size() >= kMaxWatchers) {
    socket->close(1013, "too many watch already");
    return;
  }
  WebSocket* key = socket.get();
  watchers_[key] = {socket,
                    events.listen([key](const Event& event) { key->send(to_text(event)); })};
  socket->on_close([this, key] { watchers_.erase(key); });
  // So that a watcher knows from when on it misses nothing.
  socket->send(R"({"name":"feed.open","details":{}})");
}

}  // namespace sotto::server
