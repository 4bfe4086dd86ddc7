// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// Which route a request is for.
#pragma once

#include "server/http/paths.h"
#include "server/http/router.h"

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace sotto::server {

struct Route {
  Listener listener;
  std::string method;  ///< "*" for all, "WEBSOCKET" for an upgrade.
  PathPattern pattern;
  Access access;
  RouteOptions options;
  WebSocketOptions socket_options;
  Router::Handler handler;
  Router::SocketHandler socket_handler;
};

class RouteTable {
 public:
  static constexpr const char* kSocketMethod = "WEBSOCKET";

  void add(Route route);
  struct Match {
    std::shared_ptr<const Route> route;  ///< Null: see `allowed`.
    std::map<std::string, std::string> params;
    std::vector<std::string> allowed;  ///< Methods the path has; empty: no such path.
    bool cors = false;                 ///< Some route of this path may be called cross-origin.
  };
  Match find(Listener listener, std::string_view method, std::string_view path) const;
  bool has(Listener listener) const;
  const std::vector<std::shared_ptr<const Route>>& all() const { return routes_; }

 private:
  std::vector<std::shared_ptr<const Route>> routes_;  // By rank: the more exact pattern first.
};

/// `scope` with {name} replaced from `params`; empty when a value could be read as more than one
/// word.
std::string fill_scope(const std::string& scope, const std::map<std::string, std::string>& params);

}  // namespace sotto::server
