// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// Routes, requests and answers as features see them; libsoup stays behind this line.
//
// Every route names who may use it, so a route without an answer to that question does not
// compile. Bodies are bounded before they are read, header and idle times are bounded, errors
// become RFC 9457 problem JSON. All handlers run on the server's main context.
#pragma once

#include "core/base/error.h"
#include "server/auth/principal.h"

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sotto::server {

/// Case-insensitive header names, as HTTP has them.
struct HeaderLess {
  bool operator()(std::string_view a, std::string_view b) const;
};
using Headers = std::multimap<std::string, std::string, HeaderLess>;

struct HttpRequest {
  std::string method;
  std::string path;                           ///< Normalised once; no dot segments, no %2F.
  std::map<std::string, std::string> params;  ///< From {name} parts of the route.
  std::map<std::string, std::string> query;
  Headers headers;
  std::string body;
  std::string address;   ///< The client's, by trusted-proxy rules. For limits and logs.
  bool secure = false;   ///< TLS.
  std::string base_url;  ///< scheme://host[:port] the client used; for Location and Link.
  Principal principal;   ///< Who asks; nobody on open routes without credentials.

  std::string_view header(std::string_view name) const;  ///< First of that name, or empty.
};

struct HttpResponse {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
  Headers headers;

  static HttpResponse json(int status, std::string body);
  static HttpResponse text(int status, std::string body);
  static HttpResponse empty(int status);
};

/// The one table from our errors to HTTP: status and problem+json body.
HttpResponse problem(const Error& error);

/// One request being answered. Keep it as long as the answer takes; dropped unanswered it becomes a
/// 500.
class Exchange {
 public:
  virtual ~Exchange() = default;
  virtual const HttpRequest& request() const = 0;
  /// Exactly once; later calls are ignored (the client may be gone).
  virtual void respond(HttpResponse response) = 0;
  /// Called if the client goes away before the answer.
  virtual void on_abort(std::function<void()> aborted) = 0;
};
using ExchangePtr = std::shared_ptr<Exchange>;

/// Who may use a route.
struct Access {
  enum class Kind {
    kOpen,      ///< Anyone: health, log-in, static files, CORS preflight.
    kLoopback,  ///< Anyone on this machine; a token with `scope` from elsewhere.
    kScope,     ///< A token or log-in session with `scope`; {name} parts are filled from the path.
    kOwn,       ///< The handler checks by itself (the Janus API's secrets and tokens).
  };
  Kind kind = Kind::kScope;
  std::string scope;

  static Access open() { return {Kind::kOpen, {}}; }
  static Access loopback(std::string scope) { return {Kind::kLoopback, std::move(scope)}; }
  static Access with(std::string scope) { return {Kind::kScope, std::move(scope)}; }
  static Access own() { return {Kind::kOwn, {}}; }
};

struct RouteOptions {
  std::size_t max_body = 64U << 10U;
  bool cors = false;  ///< Browsers of any origin may call it (credentials are never cookies then).
};

/// A WebSocket connection. Outgoing messages are bounded: a client that does not read is dropped.
class WebSocket {
 public:
  virtual ~WebSocket() = default;
  virtual void send(std::string text) = 0;
  virtual void close(int code, std::string reason) = 0;
  virtual void on_message(std::function<void(std::string_view)> handler) = 0;
  virtual void on_close(std::function<void()> handler) = 0;
  virtual const HttpRequest& request() const = 0;
};

struct WebSocketOptions {
  /// One of these must be offered by the client; empty takes any client.
  std::vector<std::string> protocols;
  std::size_t max_message = 128U << 10U;
};

/// Which of the server's listeners a route is served on.
enum class Listener { kMain, kJanusHttp, kJanusWs, kAdminHttp, kAdminWs };

class Router {
 public:
  using Handler = std::function<void(ExchangePtr)>;
  using SocketHandler = std::function<void(std::shared_ptr<WebSocket>)>;

  virtual ~Router() = default;
  /// `path` may hold {name} for one segment and end in {name...} for the rest. "*" as method takes
  /// all.
  virtual void add(Listener listener, std::string method, std::string path, Access access,
                   RouteOptions options, Handler handler) = 0;
  virtual void add_websocket(Listener listener, std::string path, Access access,
                             WebSocketOptions options, SocketHandler handler) = 0;

  struct RouteInfo {
    Listener listener;
    std::string method;
    std::string path;
    Access access;
  };
  virtual std::vector<RouteInfo> routes() const = 0;  ///< For the test that walks every route.
};

}  // namespace sotto::server
