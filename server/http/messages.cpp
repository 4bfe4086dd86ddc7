// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// Requests and answers as values, and the table from our errors to HTTP.
#include "server/http/router.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cctype>

namespace sotto::server {
namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

struct Status {
  int code;
  const char* title;
};

Status status_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalid: return {400, "Bad Request"};
    case ErrorCode::kParse: return {400, "Bad Request"};
    case ErrorCode::kTooLarge: return {413, "Content Too Large"};
    case ErrorCode::kNotFound: return {404, "Not Found"};
    case ErrorCode::kExists: return {409, "Conflict"};
    case ErrorCode::kUnauthenticated: return {401, "Unauthorized"};
    case ErrorCode::kDenied: return {403, "Forbidden"};
    case ErrorCode::kConflict: return {409, "Conflict"};
    case ErrorCode::kPrecondition: return {412, "Precondition Failed"};
    case ErrorCode::kUnsupported: return {422, "Unprocessable Content"};
    case ErrorCode::kUnavailable: return {503, "Service Unavailable"};
    case ErrorCode::kTimeout: return {504, "Gateway Timeout"};
    case ErrorCode::kIo: return {502, "Bad Gateway"};
    case ErrorCode::kCrypto: return {400, "Bad Request"};
    case ErrorCode::kInternal: return {500, "Internal Server Error"};
  }
  return {500, "Internal Server Error"};
}

}  // namespace

bool HeaderLess::operator()(std::string_view a, std::string_view b) const {
  return std::lexicographical_compare(a.begin(), a.end(), b.begin(), b.end(),
                                      [](char x, char y) { return lower(x) < lower(y); });
}

std::string_view HttpRequest::header(std::string_view name) const {
  const auto found = headers.find(std::string(name));
  return found == headers.end() ? std::string_view() : std::string_view(found->second);
}

HttpResponse HttpResponse::json(int status, std::string body) {
  return {.status = status, .content_type = "application/json", .body = std::move(body)};
}

HttpResponse HttpResponse::text(int status, std::string body) {
  return {.status = status, .content_type = "text/plain; charset=utf-8", .body = std::move(body)};
}

HttpResponse HttpResponse::empty(int status) { return {.status = status, .content_type = {}}; }

HttpResponse problem(const Error& error) {
  const Status status = status_of(error.code);
  const nlohmann::json body = {{"type", "about:blank"},
                               {"title", status.title},
                               {"status", status.code},
                               {"code", name_of(error.code)},
                               {"detail", error.message}};
  HttpResponse response{
      .status = status.code,
      .content_type = "application/problem+json",
      .body = body.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)};
  // RFC 6750 section 3: a client learns from this how to authenticate.
  if (status.code == 401) response.headers.emplace("WWW-Authenticate", "Bearer realm=\"sotto\"");
  return response;
}

}  // namespace sotto::server
