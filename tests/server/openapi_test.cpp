// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// docs/openapi.json names every route of the main listener and who may use it, and no other.
#include "tests/support/server_fixture.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <cstdlib>
#include <fstream>
#include <set>
#include <string>

namespace sotto::server {
namespace {

/// "GET /v1/me own": what is compared.
using Lines = std::set<std::string>;

std::string access_of(const Access& access) {
  switch (access.kind) {
    case Access::Kind::kOpen: return "open";
    case Access::Kind::kLoopback: return "loopback " + access.scope;
    case Access::Kind::kScope: return access.scope;
    case Access::Kind::kOwn: return "own";
  }
  return {};
}

std::string access_of(const nlohmann::json& operation) {
  if (operation.contains("security") && operation["security"].empty()) return "open";
  if (operation.value("x-access", "") == "own") return "own";
  const std::string scope = operation.value("x-scope", "");
  return operation.value("x-open-on-loopback", false) ? "loopback " + scope : scope;
}

/// Pages and the Janus API are described elsewhere; /v1/events, the signaling of direct publishers
/// and sealed groups are WebSockets, which OpenAPI has no words for.
bool described_elsewhere(const Router::RouteInfo& route, const std::string& janus) {
  return route.listener != Listener::kMain || route.path == "/{path...}" ||
         route.path.starts_with(janus) || route.path == "/v1/events" ||
         route.path == "/v1/publish/{id}/signal" || route.path == "/v1/groups/{id}/ws" ||
         route.path == "/v1/{rest...}";
}

class OpenApi : public test::ServerFixture {};

TEST_F(OpenApi, DescribesEveryRouteAndNoOther) {
  start();
  const Lines served = call([](Context& context) {
    Lines lines;
    for (const auto& route : context.router.routes()) {
      if (described_elsewhere(route, context.config.janus.base_path)) continue;
      lines.insert(route.method + " " + route.path + " " + access_of(route.access));
    }
    return lines;
  });

  std::ifstream file(std::string(std::getenv("SOTTO_SOURCE_ROOT")) + "/docs/openapi.json");
  const auto document = nlohmann::json::parse(file, nullptr, false);
  ASSERT_TRUE(document.is_object());
  Lines described;
  for (const auto& [path, operations] : document["paths"].items()) {
    for (const auto& [method, operation] : operations.items()) {
      if (method == "parameters") continue;
      std::string upper = method;
      for (char& c : upper) c = static_cast<char>(g_ascii_toupper(c));
      described.insert(upper + " " + path + " " + access_of(operation));
    }
  }
  EXPECT_GT(served.size(), 20U);
  for (const auto& line : served) EXPECT_EQ(described.count(line), 1U) << "not described: " << line;
  for (const auto& line : described) EXPECT_EQ(served.count(line), 1U) << "not served: " << line;
}

}  // namespace
}  // namespace sotto::server
