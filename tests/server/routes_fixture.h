// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// A server whose only routes are those a test adds.
#pragma once

#include "server/http/router.h"
#include "tests/support/raw_client.h"
#include "tests/support/server_fixture.h"

#include <nlohmann/json.hpp>

#include <functional>
#include <memory>
#include <vector>

namespace sotto::server {

class RoutesFixture : public test::ServerFixture {
 protected:
  void start_with(std::function<void(Router&)> add_routes) {
    options.features = [add_routes](Context& context) {
      add_routes(context.router);
      return std::vector<std::unique_ptr<Feature>>();
    };
    start();
  }

  /// Answers with what it was asked.
  static void echo(Router& router, const char* method, const char* path, Access access,
                   RouteOptions route_options = {}) {
    router.add(Listener::kMain, method, path, std::move(access), route_options,
               [](const ExchangePtr& exchange) {
                 const auto& request = exchange->request();
                 const nlohmann::json told = {
                     {"path", request.path},       {"params", request.params},
                     {"query", request.query},     {"body", request.body},
                     {"address", request.address}, {"base", request.base_url}};
                 exchange->respond(HttpResponse::json(200, told.dump()));
               });
  }

  std::size_t connections() {
    return call([this](Context&) { return server().router().connections(); });
  }

  ExchangePtr kept_;
};

}  // namespace sotto::server
