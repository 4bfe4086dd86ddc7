// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "server/http/router.h"

#include "tests/support/server_fixture.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace sotto::server {
namespace {

using test::HttpAnswer;

/// A server whose only feature is made of the routes a test adds.
class RouterTest : public test::ServerFixture {
 protected:
  void start_with(std::function<void(Router&)> add_routes) {
    options.features = [add_routes](Context& context) {
      add_routes(context.router);
      return std::vector<std::unique_ptr<Feature>>();
    };
    start();
  }
  static void answer(Router& router, const char* method, const char* path, Access access,
                     RouteOptions route_options = {}) {
    router.add(Listener::kMain, method, path, std::move(access), route_options,
               [](const ExchangePtr& exchange) {
                 const auto& request = exchange->request();
                 nlohmann::json told = {{"path", request.path},
                                        {"params", request.params},
                                        {"query", request.query},
                                        {"body", request.body},
                                        {"base", request.base_url}};
                 exchange->respond(HttpResponse::json(200, told.dump()));
               });
  }
};

TEST_F(RouterTest, GivesParametersQueryAndBody) {
  start_with([](Router& r) { answer(r, "POST", "/v1/{a}/x/{rest...}", Access::open()); });
  const HttpAnswer got = http.post(url("/v1/caf%C3%A9/x/y/z?q=1+2&r=%26"), "hello");
  EXPECT_EQ(got.status, 200);
  const auto json = nlohmann::json::parse(got.body);
  EXPECT_EQ(json["params"]["a"], "café");
  EXPECT_EQ(json["params"]["rest"], "y/z");
  EXPECT_EQ(json["query"]["q"], "1 2");
  EXPECT_EQ(json["query"]["r"], "&");
  EXPECT_EQ(json["body"], "hello");
  EXPECT_EQ(json["base"], address("http"));
}

TEST_F(RouterTest, KeepsTheConnectionForTheNextRequest) {
  start_with([](Router& r) { answer(r, "GET", "/", Access::open()); });
  for (int i = 0; i < 50; ++i) ASSERT_EQ(http.get(url("/")).status, 200);
  EXPECT_EQ(call([this](Context&) { return server().router().connections(); }), 1U);
}

}  // namespace
}  // namespace sotto::server
