// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// The Router on libsoup: listeners, who may do what, bounds on everything a stranger sends.
#pragma once

#include "elements/glue/main_context.h"
#include "server/auth/auth.h"
#include "server/http/acceptor.h"
#include "server/http/addresses.h"
#include "server/http/connections.h"
#include "server/http/route_table.h"
#include "server/http/router.h"
#include "server/http/soup_socket.h"

#include <libsoup/soup.h>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace sotto::server {

struct RouterLimits {
  ConnectionLimits connections;
  SocketLimits sockets;
};

class SoupExchange;

class SoupRouter : public Router {
 public:
  /// `auth` is asked for every token; it must outlive the router.
  SoupRouter(MainContext& loop, Auth& auth, RouterLimits limits = {});
  ~SoupRouter() override;

  void add(Listener listener, std::string method, std::string path, Access access,
           RouteOptions options, Handler handler) override;
  void add_websocket(Listener listener, std::string path, Access access, WebSocketOptions options,
                     SocketHandler handler) override;
  std::vector<RouteInfo> routes() const override;
  /// Whether anything is served there: a listener without routes is not opened.
  bool serves(Listener listener) const { return table_.has(listener); }

  void set_trusted_proxies(TrustedProxies proxies) { proxies_ = std::move(proxies); }
  /// Whose pages may use the API, beside our own: `https://host:port`, as browsers write it.
  void set_page_origins(std::vector<std::string> origins) { page_origins_ = std::move(origins); }
  /// For HTTPS listeners, now and for every connection from now on.
  void set_certificate(GTlsCertificate* certificate);

  struct Bound {
    Listener listener;
    bool tls = false;
    ListenAddress address;  ///< With the port the system chose.
  };
  Result<Bound> listen(Listener listener, const std::string& address, bool tls);
  const std::vector<Bound>& bound() const { return bound_; }
  std::size_t connections() const { return connections_.count(); }
  /// Connections with an unanswered request, and WebSockets.
  std::size_t busy() const { return connections_.busy(); }

  /// Told of every answer: the route's pattern (or "none"), method and status.
  using Observer =
      std::function<void(const std::string& route, const std::string& method, int status)>;
  void set_observer(Observer observer) { observer_ = std::move(observer); }

  /// No new connections; open WebSockets are closed with 1001, every answer closes its connection.
  void begin_stop();
  /// Ends what is still open.
  void cut_all();

 private:
  struct Pending;
  struct Server;

  Server& server_of(Listener listener);
  void accepted(Listener listener, GIOStream* stream, Connection& connection);
  void request_started(Listener listener, SoupServerMessage* message);
  void got_headers(Listener listener, SoupServerMessage* message);
  void got_chunk(SoupServerMessage* message, GBytes* chunk);
  void request_read(SoupServerMessage* message);
  std::optional<HttpResponse> decide(Pending& pending, SoupServerMessage* message);
  Result<> read_request(Pending& pending, SoupServerMessage* message);
  Result<> identify(Pending& pending);
  Result<> admit(const Pending& pending) const;
  void upgrade(Pending& pending, SoupServerMessage* message);
  void upgraded(Pending& pending, SoupServerMessage* message);
  void respond(SoupServerMessage* message, HttpResponse response);
  void reject_unread(SoupServerMessage* message, HttpResponse response);

  friend class SoupExchange;

  MainContext& loop_;
  Auth& auth_;
  RouterLimits limits_;
  Connections connections_;
  TrustedProxies proxies_;
  std::vector<std::string> page_origins_;
  RouteTable table_;
  std::map<Listener, std::unique_ptr<Server>> servers_;
  std::vector<Bound> bound_;
  std::vector<std::unique_ptr<Acceptor>> acceptors_;
  GTlsCertificate* certificate_ = nullptr;
  std::set<std::shared_ptr<SoupSocket>> sockets_;
  Observer observer_;
  bool stopping_ = false;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace sotto::server
