// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "server/sources/feature.h"

#include "server/http/router.h"
#include "server/registry/registry.h"

#include <nlohmann/json.hpp>

namespace sotto::server {
namespace {

nlohmann::json to_json(const rtc::SourceInfo& info) {
  nlohmann::json tracks = nlohmann::json::array();
  for (const auto& [mid, codec] : info.tracks)
    tracks.push_back({{"mid", mid}, {"codec", codec.name}});
  return {{"id", info.id},
          {"number", info.number},
          {"type", info.type},
          {"title", info.title},
          {"state", rtc::name_of(info.state)},
          {"reason", info.reason},
          {"viewers", info.viewers},
          {"sealed", info.sealed},
          {"tracks", std::move(tracks)}};
}

}  // namespace

SourcesFeature::SourcesFeature(Context& context) {
  // Any token will do, and each sees what it may watch: no single scope says that.
  context.router.add(Listener::kMain, "GET", "/v1/sources", Access::own(), {},
                     [&registry = context.registry](const ExchangePtr& exchange) {
                       const Principal& asks = exchange->request().principal;
                       if (!asks.known()) {
                         exchange->respond(problem({ErrorCode::kUnauthenticated, "log in first"}));
                         return;
                       }
                       nlohmann::json sources = nlohmann::json::array();
                       for (const auto& source : registry.all()) {
                         const auto info = source->info();
                         if (!asks.may("stream:" + info.id + ":view")) continue;
                         if (info.is_private && !asks.may("admin")) continue;
                         sources.push_back(to_json(info));
                       }
                       exchange->respond(HttpResponse::json(
                           200, nlohmann::json{{"sources", std::move(sources)}}.dump()));
                     });
}

}  // namespace sotto::server
