// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "server/http/route_table.h"

#include <algorithm>
#include <utility>

namespace sotto::server {

void RouteTable::add(Route route) {
  const std::string rank = route.pattern.rank();
  const auto place =
      std::upper_bound(routes_.begin(), routes_.end(), rank,
                       [](const std::string& a, const auto& b) { return a < b->pattern.rank(); });
  routes_.insert(place, std::make_shared<const Route>(std::move(route)));
}

RouteTable::Match RouteTable::find(Listener listener, std::string_view method,
                                   std::string_view path) const {
  Match match;
  std::shared_ptr<const Route> any;
  std::map<std::string, std::string> params;
  std::map<std::string, std::string> any_params;
  std::string rank;
  for (const auto& candidate : routes_) {
    const Route& route = *candidate;
    if (route.listener != listener || !route.pattern.match(path, params)) continue;
    // Only the most exact pattern speaks for a path: "/v1/{rest...}" must not answer a GET that
    // "/v1/tokens" takes as POST only. Patterns of the same rank differ in their methods.
    const std::string this_rank = route.pattern.rank();
    if (rank.empty()) rank = this_rank;
    if (this_rank != rank) break;
    match.cors = match.cors || route.options.cors;
    match.allowed.push_back(route.method);
    if (route.method == method && match.route == nullptr) {
      match.route = candidate;
      match.params = params;
    } else if (any == nullptr && ((route.method == "*" && method != kSocketMethod) ||
                                  (route.method == "GET" && method == "HEAD"))) {
      any = candidate;
      any_params = params;
    }
  }
  if (match.route == nullptr && any != nullptr) {
    match.route = any;
    match.params = std::move(any_params);
  }
  return match;
}

bool RouteTable::has(Listener listener) const {
  return std::any_of(routes_.begin(), routes_.end(),
                     [listener](const auto& route) { return route->listener == listener; });
}

std::string fill_scope(const std::string& scope, const std::map<std::string, std::string>& params) {
  std::string filled;
  std::size_t at = 0;
  while (at < scope.size()) {
    const auto open = scope.find('{', at);
    if (open == std::string::npos) return filled + scope.substr(at);
    const auto close = scope.find('}', open);
    if (close == std::string::npos) return {};
    filled += scope.substr(at, open - at);
    const auto value = params.find(scope.substr(open + 1, close - open - 1));
    if (value == params.end() || value->second.find(':') != std::string::npos) return {};
    filled += value->second;
    at = close + 1;
  }
  return filled;
}

}  // namespace sotto::server
