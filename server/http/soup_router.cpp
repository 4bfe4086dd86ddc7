// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "server/http/soup_router.h"

#include "server/base/log.h"
#include "server/http/fields.h"
#include "server/http/linger.h"
#include "server/http/metered_stream.h"
#include "server/http/soup_exchange.h"

#include <algorithm>
#include <exception>
#include <utility>

namespace sotto::server {
namespace {

/// What is read of a request that is refused anyway, so that its answer arrives.
constexpr std::size_t kRefusedBody = 64U << 10U;
constexpr std::size_t kMaxHeaders = 100;
constexpr std::string_view kApi = "/v1/";
constexpr std::size_t kMaxTokenBytes = 4096;
constexpr const char* kPreflightSeconds = "86400";

/// On the remote address that libsoup keeps for each message: the GSocket it came by.
GQuark socket_key() {
  static const GQuark quark = g_quark_from_static_string("sotto-socket");
  return quark;
}

GSocket* socket_of(SoupServerMessage* message) {
  GSocketAddress* remote = soup_server_message_get_remote_address(message);
  return remote == nullptr
             ? nullptr
             : static_cast<GSocket*>(g_object_get_qdata(G_OBJECT(remote), socket_key()));
}

GQuark pending_key() {
  static const GQuark quark = g_quark_from_static_string("sotto-pending");
  return quark;
}

}  // namespace

/// What we know of a request from its headers until its answer.
struct SoupRouter::Pending {
  HttpRequest request;
  std::shared_ptr<const Route> route;
  bool websocket = false;
  std::string origin;  // Whose pages may read the answer: "*", one, or nobody's.
  bool answered = false;
  bool has_token = false;
  std::string token_error;
  std::size_t max_body = kRefusedBody;
  std::size_t received = 0;
  GSocket* socket = nullptr;  // Owned: libsoup forgets it when the connection is taken from it.
  ~Pending() { g_clear_object(&socket); }

  static Pending* of(SoupServerMessage* message) {
    return static_cast<Pending*>(g_object_get_qdata(G_OBJECT(message), pending_key()));
  }
};

/// One SoupServer per listener, so that a message tells where it came in.
struct SoupRouter::Server {
  SoupRouter* router;
  Listener listener;
  SoupServer* soup;
  ~Server() {
    g_signal_handlers_disconnect_by_data(soup, this);
    soup_server_disconnect(soup);
    g_object_unref(soup);
  }
};

namespace {

/// Messages may outlive the router (somebody holds an Exchange), so their signals ask first.
struct Hook {
  SoupRouter* router;
  std::weak_ptr<bool> alive;
  Listener listener;
};

}  // namespace

SoupRouter::SoupRouter(MainContext& loop, Auth& auth, RouterLimits limits)
    : loop_(loop), auth_(auth), limits_(limits), connections_(loop, limits.connections) {}

SoupRouter::~SoupRouter() {
  alive_.reset();
  acceptors_.clear();
  connections_.cut_all();
  servers_.clear();
  sockets_.clear();
  g_clear_object(&certificate_);
}

void SoupRouter::add(Listener listener, std::string method, std::string path, Access access,
                     RouteOptions options, Handler handler) {
  table_.add({.listener = listener,
              .method = std::move(method),
              .pattern = PathPattern(std::move(path)),
              .access = std::move(access),
              .options = options,
              .handler = std::move(handler)});
}

void SoupRouter::add_websocket(Listener listener, std::string path, Access access,
                               WebSocketOptions options, SocketHandler handler) {
  table_.add({.listener = listener,
              .method = RouteTable::kSocketMethod,
              .pattern = PathPattern(std::move(path)),
              .access = std::move(access),
              .socket_options = std::move(options),
              .socket_handler = std::move(handler)});
}

std::vector<Router::RouteInfo> SoupRouter::routes() const {
  std::vector<RouteInfo> list;
  for (const auto& route : table_.all()) {
    list.push_back({route->listener, route->method, route->pattern.text(), route->access});
  }
  return list;
}

void SoupRouter::set_certificate(GTlsCertificate* certificate) {
  g_set_object(&certificate_, certificate);
}

SoupRouter::Server& SoupRouter::server_of(Listener listener) {
  auto& server = servers_[listener];
  if (server != nullptr) return *server;
  auto* soup = SOUP_SERVER(
      g_object_new(SOUP_TYPE_SERVER, "raw-paths", TRUE, "server-header", "sotto", nullptr));
  server.reset(new Server{this, listener, soup});
  g_signal_connect(soup, "request-started",
                   G_CALLBACK(+[](SoupServer*, SoupServerMessage* message, gpointer data) {
                     auto* self = static_cast<Server*>(data);
                     self->router->request_started(self->listener, message);
                   }),
                   server.get());
  soup_server_add_handler(
      soup, nullptr,
      [](SoupServer*, SoupServerMessage* message, const char*, GHashTable*, gpointer data) {
        static_cast<Server*>(data)->router->request_read(message);
      },
      server.get(), nullptr);
  return *server;
}

Result<SoupRouter::Bound> SoupRouter::listen(Listener listener, const std::string& address,
                                             bool tls) {
  auto where = parse_listen(address);
  if (!where) return tl::unexpected(where.error());
  const auto open = [&](const ListenAddress& there) {
    Acceptor::CertificateOf certificate;
    if (tls) certificate = [this] { return certificate_; };
    return Acceptor::open(loop_, connections_, there, std::move(certificate),
                          [this, listener](GIOStream* stream, Connection& connection) {
                            accepted(listener, stream, connection);
                          });
  };
  auto acceptor = open(*where);
  // A machine without IPv6 still has all its IPv4 addresses.
  if (!acceptor && where->host == "::") {
    if (auto ipv4 = open({"0.0.0.0", where->port})) acceptor = std::move(ipv4);
  }
  if (!acceptor) return tl::unexpected(acceptor.error());
  where->port = (*acceptor)->port();
  acceptors_.push_back(*std::move(acceptor));
  bound_.push_back({listener, tls, *where});
  return bound_.back();
}

void SoupRouter::accepted(Listener listener, GIOStream* stream, Connection& connection) {
  g_autoptr(GSocketAddress) local = g_socket_get_local_address(connection.socket(), nullptr);
  g_autoptr(GSocketAddress) remote = g_socket_get_remote_address(connection.socket(), nullptr);
  if (local == nullptr || remote == nullptr) return;  // Gone already.
  g_object_set_qdata_full(G_OBJECT(remote), socket_key(), g_object_ref(connection.socket()),
                          g_object_unref);
  soup_server_accept_iostream(server_of(listener).soup, stream, local, remote, nullptr);
}

void SoupRouter::begin_stop() {
  stopping_ = true;
  acceptors_.clear();
  const auto sockets = sockets_;
  for (const auto& socket : sockets) {
    socket->close(SOUP_WEBSOCKET_CLOSE_GOING_AWAY, "the server stops");
  }
  connections_.cut_idle();
}

void SoupRouter::cut_all() {
  const auto sockets = sockets_;
  for (const auto& socket : sockets) socket->drop("the server stops");
  connections_.cut_all();
}

void SoupRouter::request_started(Listener listener, SoupServerMessage* message) {
  const auto hook = [&] { return new Hook{this, alive_, listener}; };
  const auto drop = +[](gpointer data, GClosure*) { delete static_cast<Hook*>(data); };
  g_signal_connect_data(message, "got-headers",
                        G_CALLBACK(+[](SoupServerMessage* m, gpointer data) {
                          const auto* h = static_cast<Hook*>(data);
                          if (!h->alive.expired()) h->router->got_headers(h->listener, m);
                        }),
                        hook(), drop, GConnectFlags{});
  g_signal_connect_data(message, "got-chunk",
                        G_CALLBACK(+[](SoupServerMessage* m, GBytes* chunk, gpointer data) {
                          const auto* h = static_cast<Hook*>(data);
                          if (!h->alive.expired()) h->router->got_chunk(m, chunk);
                        }),
                        hook(), drop, GConnectFlags{});
  g_signal_connect_data(
      message, "wrote-body-data", G_CALLBACK(+[](SoupServerMessage* m, guint, gpointer data) {
        const auto* h = static_cast<Hook*>(data);
        if (h->alive.expired()) return;
        if (Connection* c = Connections::of(socket_of(m))) {
          c->expect_within(h->router->connections_.limits().write_deadline, "reading the answer");
        }
      }),
      hook(), drop, GConnectFlags{});
}

void SoupRouter::got_headers(Listener listener, SoupServerMessage* message) {
  GSocket* socket = socket_of(message);
  Connection* connection = Connections::of(socket);
  if (connection == nullptr) return;
  connection->set_busy(true);
  connection->expect_within(connections_.limits().body_deadline, "request body");

  auto* pending = new Pending;
  pending->socket = G_SOCKET(g_object_ref(socket));
  g_object_set_qdata_full(G_OBJECT(message), pending_key(), pending,
                          [](gpointer data) { delete static_cast<Pending*>(data); });
  pending->request.address = connection->address();

  // The listener travels in the route; until there is one, it is looked up with this.
  std::optional<HttpResponse> refused;
  if (const auto read = read_request(*pending, message); !read) {
    refused = problem(read.error());
  } else {
    const bool socket_wanted =
        pending->request.method == "GET" &&
        equals_ignoring_case(pending->request.header("Upgrade"), "websocket");
    auto match = table_.find(
        listener,
        socket_wanted ? RouteTable::kSocketMethod : std::string_view(pending->request.method),
        pending->request.path);
    if (socket_wanted && match.route == nullptr) {
      match = table_.find(listener, pending->request.method, pending->request.path);
    }
    const std::string_view origin = pending->request.header("Origin");
    if (match.cors) {
      pending->origin = "*";
    } else if (listener == Listener::kMain && pending->request.path.rfind(kApi, 0) == 0 &&
               std::find(page_origins_.begin(), page_origins_.end(), origin) !=
                   page_origins_.end()) {
      pending->origin = origin;
    }
    pending->websocket = match.route != nullptr && match.route->method == RouteTable::kSocketMethod;
    pending->route = match.route;
    pending->request.params = match.params;
    std::erase(match.allowed, RouteTable::kSocketMethod);
    const bool preflight = pending->request.method == "OPTIONS" && !match.allowed.empty() &&
                           !pending->origin.empty() &&
                           !pending->request.header("Access-Control-Request-Method").empty();
    if (preflight) {
      refused = HttpResponse::empty(204);
      std::erase(match.allowed, "OPTIONS");
      const std::string asked(pending->request.header("Access-Control-Request-Headers"));
      const bool all =
          std::find(match.allowed.begin(), match.allowed.end(), "*") != match.allowed.end();
      refused->headers.emplace(
          "Access-Control-Allow-Methods",
          all ? std::string(pending->request.header("Access-Control-Request-Method"))
              : join_list(match.allowed));
      if (!asked.empty()) refused->headers.emplace("Access-Control-Allow-Headers", asked);
      refused->headers.emplace("Access-Control-Max-Age", kPreflightSeconds);
      pending->route = nullptr;
    } else if (match.route == nullptr && match.allowed.empty()) {
      refused = problem({ErrorCode::kNotFound, "there is nothing at this path"});
    } else if (match.route == nullptr) {
      refused = problem({ErrorCode::kUnsupported, "this path does not take this method"});
      refused->status = 405;
      refused->headers.emplace("Allow", join_list(match.allowed));
    } else {
      refused = decide(*pending, message);
    }
  }

  SoupMessageHeaders* headers = soup_server_message_get_request_headers(message);
  const bool sized = soup_message_headers_get_encoding(headers) == SOUP_ENCODING_CONTENT_LENGTH;
  const bool too_large =
      sized && static_cast<std::uint64_t>(soup_message_headers_get_content_length(headers)) >
                   pending->max_body;
  if (too_large) {
    reject_unread(message, refused ? *std::move(refused)
                                   : problem({ErrorCode::kTooLarge,
                                              "the body is larger than this path takes (" +
                                                  std::to_string(pending->max_body) + " bytes)"}));
  } else if (refused) {
    soup_message_body_set_accumulate(soup_server_message_get_request_body(message), FALSE);
    respond(message, *std::move(refused));
  }
}

Result<> SoupRouter::read_request(Pending& pending, SoupServerMessage* message) {
  HttpRequest& request = pending.request;
  const char* method = soup_server_message_get_method(message);
  request.method = method == nullptr ? "" : method;
  if (request.method == "CONNECT" || request.method == "TRACE") {
    return fail(ErrorCode::kInvalid, "this is no proxy, and it does not echo");
  }

  SoupMessageHeadersIter iter;
  soup_message_headers_iter_init(&iter, soup_server_message_get_request_headers(message));
  const char* name = nullptr;
  const char* value = nullptr;
  std::size_t count = 0;
  while (soup_message_headers_iter_next(&iter, &name, &value) != FALSE) {
    if (++count > kMaxHeaders) return fail(ErrorCode::kTooLarge, "too many header fields");
    request.headers.emplace(name, value);
  }

  GUri* uri = soup_server_message_get_uri(message);
  if (uri == nullptr || soup_server_message_is_options_ping(message) != FALSE) {
    return fail(ErrorCode::kInvalid, "the request names no path");
  }
  const char* raw_path = g_uri_get_path(uri);
  auto path = normalise_path(raw_path == nullptr || *raw_path == '\0' ? "/" : raw_path);
  if (!path) return tl::unexpected(path.error());
  request.path = *std::move(path);
  const char* raw_query = g_uri_get_query(uri);
  auto query = parse_query(raw_query == nullptr ? "" : raw_query);
  if (!query) return tl::unexpected(query.error());
  request.query = *std::move(query);

  const Connection* connection = Connections::of(pending.socket);
  request.secure = connection != nullptr && connection->tls();
  if (proxies_.trusts(request.address)) {
    const std::string_view proto = request.header("X-Forwarded-Proto");
    if (!proto.empty()) request.secure = proto == "https";
    request.address = proxies_.client_of(request.address, request.header("X-Forwarded-For"));
  }
  const std::string host = checked_host(request.header("Host"));
  if (host.empty()) return fail(ErrorCode::kInvalid, "the Host header names no host");
  request.base_url = (request.secure ? "https://" : "http://") + host;
  return {};
}

Result<> SoupRouter::identify(Pending& pending) {
  const std::string token = bearer_token(pending.request);
  if (token.empty()) return {};
  pending.has_token = true;
  if (token.size() > kMaxTokenBytes) return fail(ErrorCode::kUnauthenticated, "not a token");
  auto principal = auth_.verify(token);
  if (!principal) return tl::unexpected(principal.error());
  pending.request.principal = *std::move(principal);
  return {};
}

Result<> SoupRouter::admit(const Pending& pending) const {
  const Access& access = pending.route->access;
  if (access.kind == Access::Kind::kOpen || access.kind == Access::Kind::kOwn) return {};
  const HttpRequest& request = pending.request;
  if (access.kind == Access::Kind::kLoopback) {
    // Only who sits at this machine: not whom a proxy on it brings, nor a foreign page whose host
    // name was pointed at 127.0.0.1.
    const bool proxied = !request.header("X-Forwarded-For").empty() ||
                         !request.header("Forwarded").empty() || !request.header("Via").empty();
    const auto host = request.base_url.substr(request.base_url.find("//") + 2);
    if (is_loopback(request.address) && is_loopback(host_of(host)) && !proxied) return {};
  }
  if (!request.principal.known()) {
    return fail(ErrorCode::kUnauthenticated,
                pending.token_error.empty() ? "log in, or send a token" : pending.token_error);
  }
  const std::string scope = fill_scope(access.scope, request.params);
  if (scope.empty() || !request.principal.may(scope)) {
    return fail(ErrorCode::kDenied, "your token does not allow this: it needs " +
                                        (scope.empty() ? access.scope : scope));
  }
  return {};
}

std::optional<HttpResponse> SoupRouter::decide(Pending& pending, SoupServerMessage* message) {
  (void)message;
  if (stopping_) return problem({ErrorCode::kUnavailable, "the server stops"});
  if (const auto known = identify(pending); !known) pending.token_error = known.error().message;
  if (const auto admitted = admit(pending); !admitted) return problem(admitted.error());
  pending.max_body = pending.websocket ? 0 : pending.route->options.max_body;
  return std::nullopt;
}

void SoupRouter::got_chunk(SoupServerMessage* message, GBytes* chunk) {
  Pending* pending = Pending::of(message);
  if (pending == nullptr) return;
  pending->received += g_bytes_get_size(chunk);
  if (pending->received <= pending->max_body) return;
  reject_unread(message,
                problem({ErrorCode::kTooLarge, "the body is larger than this path takes (" +
                                                   std::to_string(pending->max_body) + " bytes)"}));
}

void SoupRouter::request_read(SoupServerMessage* message) {
  Pending* pending = Pending::of(message);
  if (pending == nullptr || pending->route == nullptr) return;
  if (Connection* connection = Connections::of(pending->socket)) connection->expect_nothing();
  if (pending->websocket) {
    upgrade(*pending, message);
    return;
  }
  g_autoptr(GBytes) body = soup_message_body_flatten(soup_server_message_get_request_body(message));
  if (body != nullptr && g_bytes_get_size(body) > 0) {
    gsize size = 0;
    const auto* data = static_cast<const char*>(g_bytes_get_data(body, &size));
    pending->request.body.assign(data, size);
  }
  const auto exchange = std::make_shared<SoupExchange>(
      loop_, message, pending->socket, pending->request,
      [this, alive = std::weak_ptr<bool>(alive_)](SoupServerMessage* m, HttpResponse response) {
        if (!alive.expired()) respond(m, std::move(response));
      });
  try {
    pending->route->handler(exchange);
  } catch (const std::exception& failure) {
    log::error("http", "a handler failed",
               {{"path", pending->request.path}, {"error", failure.what()}});
    exchange->respond(problem({ErrorCode::kInternal, "internal error"}));
  }
}

void SoupRouter::upgrade(Pending& pending, SoupServerMessage* message) {
  const auto& wanted = pending.route->socket_options.protocols;
  const auto offered = split_list(pending.request.header("Sec-WebSocket-Protocol"));
  // libsoup takes a client that offers no protocol at all; we do not.
  const bool fits =
      wanted.empty() || std::any_of(offered.begin(), offered.end(), [&wanted](const auto& p) {
        return std::find(wanted.begin(), wanted.end(), p) != wanted.end();
      });
  if (!fits) {
    respond(message,
            problem({ErrorCode::kInvalid, "offer the WebSocket subprotocol " + wanted.front()}));
    return;
  }
  std::vector<char*> protocols;
  for (const auto& protocol : wanted) protocols.push_back(const_cast<char*>(protocol.c_str()));
  protocols.push_back(nullptr);
  // No extensions: compression would let a small message become a large one.
  if (soup_websocket_server_process_handshake(message, nullptr,
                                              wanted.empty() ? nullptr : protocols.data(), nullptr,
                                              nullptr) == FALSE) {
    return;  // libsoup has set the answer.
  }
  g_signal_connect_data(
      message, "wrote-informational", G_CALLBACK(+[](SoupServerMessage* m, gpointer data) {
        const auto* h = static_cast<Hook*>(data);
        if (h->alive.expired()) return;
        if (Pending* p = Pending::of(m)) h->router->upgraded(*p, m);
      }),
      new Hook{this, alive_, pending.route->listener},
      +[](gpointer data, GClosure*) { delete static_cast<Hook*>(data); }, GConnectFlags{});
}

void SoupRouter::upgraded(Pending& pending, SoupServerMessage* message) {
  [[maybe_unused]] g_autoptr(SoupServerMessage) kept = SOUP_SERVER_MESSAGE(g_object_ref(message));
  const char* protocol = soup_message_headers_get_one(
      soup_server_message_get_response_headers(message), "Sec-WebSocket-Protocol");
  const std::string chosen = protocol == nullptr ? "" : protocol;
  g_autoptr(GUri) uri = g_uri_ref(soup_server_message_get_uri(message));
  g_autoptr(GIOStream) stream = soup_server_message_steal_connection(message);
  if (stream == nullptr) return;
  g_autoptr(GIOStream) metered = metered_stream_new(stream);
  // Extensions are none, so every byte we queue is a byte of a frame.
  g_autoptr(SoupWebsocketConnection) connection =
      soup_websocket_connection_new(metered, uri, SOUP_WEBSOCKET_CONNECTION_SERVER, nullptr,
                                    chosen.empty() ? nullptr : chosen.c_str(), nullptr);
  const auto socket = std::make_shared<SoupSocket>(
      loop_, limits_.sockets, pending.route->socket_options.max_message, pending.request,
      connection, metered, pending.socket);
  sockets_.insert(socket);
  socket->on_gone([this, alive = std::weak_ptr<bool>(alive_), weak = std::weak_ptr(socket)] {
    if (!alive.expired()) sockets_.erase(weak.lock());
  });
  if (observer_) observer_(pending.route->pattern.text(), "WEBSOCKET", 101);
  try {
    pending.route->socket_handler(socket);
  } catch (const std::exception& failure) {
    log::error("http", "a WebSocket handler failed",
               {{"path", pending.request.path}, {"error", failure.what()}});
    socket->close(SOUP_WEBSOCKET_CLOSE_SERVER_ERROR, "internal error");
  }
}

void SoupRouter::respond(SoupServerMessage* message, HttpResponse response) {
  Pending* pending = Pending::of(message);
  if (pending == nullptr || pending->answered) return;
  pending->answered = true;
  add_standard_fields(response, pending->origin);
  if (Connection* connection = Connections::of(pending->socket)) {
    connection->expect_within(connections_.limits().write_deadline, "reading the answer");
  }
  SoupMessageHeaders* headers = soup_server_message_get_response_headers(message);
  for (const auto& [name, value] : response.headers) {
    soup_message_headers_append(headers, name.c_str(), value.c_str());
  }
  // libsoup 3.2.3 does not notice when a client leaves between two requests, and keeps connection
  // and descriptor for ever (later versions do); so each answer ends its connection.
  soup_message_headers_replace(headers, "Connection", "close");
  soup_server_message_set_status(message, static_cast<guint>(response.status), nullptr);
  if (!response.content_type.empty()) {
    soup_message_headers_replace(headers, "Content-Type", response.content_type.c_str());
  }
  if (!response.body.empty()) {
    soup_message_body_append(soup_server_message_get_response_body(message), SOUP_MEMORY_COPY,
                             response.body.data(), response.body.size());
  }
  // Ranges are a file's own business; libsoup would cut any 200 to pieces.
  soup_message_headers_remove(soup_server_message_get_request_headers(message), "Range");
  log::debug("http", "answered",
             {{"method", pending->request.method},
              {"path", pending->request.path},
              {"status", std::to_string(response.status)},
              {"address", pending->request.address}});
  if (observer_) {
    // The route's method, not the request's: strangers must not make up labels.
    observer_(pending->route == nullptr ? "none" : pending->route->pattern.text(),
              pending->route == nullptr ? "none" : pending->route->method, response.status);
  }
}

void SoupRouter::reject_unread(SoupServerMessage* message, HttpResponse response) {
  Pending* pending = Pending::of(message);
  if (pending == nullptr) return;
  if (!pending->answered) add_standard_fields(response, pending->origin);
  // An answer that libsoup already holds would be sent after a body we do not want to read.
  [[maybe_unused]] g_autoptr(SoupServerMessage) kept = SOUP_SERVER_MESSAGE(g_object_ref(message));
  g_autoptr(GIOStream) stream = soup_server_message_steal_connection(message);
  if (stream == nullptr) return;
  const char* phrase = soup_status_get_phrase(static_cast<guint>(response.status));
  std::string text = "HTTP/1.1 " + std::to_string(response.status) + ' ' +
                     (phrase == nullptr ? "Error" : phrase) + "\r\n";
  for (const auto& [name, value] : response.headers) text += name + ": " + value + "\r\n";
  if (!response.content_type.empty()) text += "Content-Type: " + response.content_type + "\r\n";
  text += "Content-Length: " + std::to_string(response.body.size()) +
          "\r\nConnection: close\r\n\r\n" + response.body;
  if (Connection* connection = Connections::of(pending->socket)) {
    connection->expect_within(connections_.limits().write_deadline, "reading the answer");
  }
  if (observer_ && !pending->answered) {
    // The route's method, not the request's: strangers must not make up labels.
    observer_(pending->route == nullptr ? "none" : pending->route->pattern.text(),
              pending->route == nullptr ? "none" : pending->route->method, response.status);
  }
  pending->answered = true;
  answer_and_linger(stream, pending->socket, std::move(text));
}

}  // namespace sotto::server
