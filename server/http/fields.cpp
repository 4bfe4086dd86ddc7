// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "server/http/fields.h"

#include "server/base/log.h"

#include <algorithm>

namespace sotto::server {
namespace {

constexpr std::string_view kBearerProtocol = "sotto.bearer.";

/// The camera and microphone are for our own pages.
constexpr const char* kPermissionsPolicy =
    "camera=(self), microphone=(self), display-capture=(self), geolocation=()";

bool clean_header(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    const auto u = static_cast<unsigned char>(c);
    return u >= 0x20 && u != 0x7f;
  });
}

}  // namespace

bool equals_ignoring_case(std::string_view a, std::string_view b) {
  return a.size() == b.size() && !HeaderLess()(a, b) && !HeaderLess()(b, a);
}

std::vector<std::string> split_list(std::string_view text) {
  std::vector<std::string> items;
  while (!text.empty()) {
    const auto comma = text.find(',');
    std::string_view item = text.substr(0, comma);
    text = comma == std::string_view::npos ? std::string_view() : text.substr(comma + 1);
    while (!item.empty() && (item.front() == ' ' || item.front() == '\t')) item.remove_prefix(1);
    while (!item.empty() && (item.back() == ' ' || item.back() == '\t')) item.remove_suffix(1);
    if (!item.empty()) items.emplace_back(item);
  }
  return items;
}

std::string join_list(const std::vector<std::string>& items) {
  std::string text;
  for (const auto& item : items) text += (text.empty() ? "" : ", ") + item;
  return text;
}

std::string bearer_token(const HttpRequest& request) {
  constexpr std::string_view kBearer = "Bearer ";
  const std::string_view authorization = request.header("Authorization");
  if (authorization.size() > kBearer.size() &&
      equals_ignoring_case(authorization.substr(0, kBearer.size()), kBearer)) {
    return std::string(authorization.substr(kBearer.size()));
  }
  // A browser's WebSocket can carry a token nowhere else.
  for (const auto& protocol : split_list(request.header("Sec-WebSocket-Protocol"))) {
    if (protocol.compare(0, kBearerProtocol.size(), kBearerProtocol) == 0) {
      return protocol.substr(kBearerProtocol.size());
    }
  }
  return {};
}

void add_standard_fields(HttpResponse& response, const std::string& origin) {
  const auto set = [&response](const char* name, const char* value) {
    if (response.headers.find(name) == response.headers.end())
      response.headers.emplace(name, value);
  };
  set("X-Content-Type-Options", "nosniff");
  set("Referrer-Policy", "no-referrer");
  set("Cache-Control", "no-store");
  if (response.content_type.rfind("text/html", 0) == 0) {
    set("Content-Security-Policy", kContentSecurityPolicy);
    set("Permissions-Policy", kPermissionsPolicy);
  }
  if (!origin.empty()) {
    set("Access-Control-Allow-Origin", origin.c_str());
    if (origin != "*") set("Vary", "Origin");
    set("Access-Control-Expose-Headers",
        "Location, Link, ETag, Accept-Patch, Retry-After, WWW-Authenticate");
  }
  std::erase_if(response.headers, [](const auto& header) {
    const bool clean = clean_header(header.first) && clean_header(header.second);
    if (!clean) log::error("http", "a header with a control character was left out");
    return !clean;
  });
}

}  // namespace sotto::server
