// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "server/janus/transports/websocket.h"

#include "server/config/config.h"

namespace sotto::server::janus {
namespace {

constexpr const char* kProtocol = "janus-protocol";
constexpr int kGoingAway = 1001;  // RFC 6455, 7.4.1

/// A token offered as a subprotocol is as deliberate as an Authorization header; a cookie is not.
Principal bearer_of(const HttpRequest& request) {
  const bool named =
      !request.header("Authorization").empty() ||
      request.header("Sec-WebSocket-Protocol").find("sotto.bearer.") != std::string_view::npos;
  return named ? request.principal : Principal{};
}

}  // namespace

class WebSocketTransport::Connection final : public Outlet {
 public:
  explicit Connection(std::shared_ptr<WebSocket> socket) : socket_(std::move(socket)) {}

  void events_waiting(Session& session) override {
    while (open_ && session.has_events()) {
      for (const Json& event : session.take(Session::kMaxQueuedEvents)) send(event);
    }
  }
  bool is_connection() const override { return true; }
  void send(const Json& message) {
    if (open_) socket_->send(dump(message));
  }
  void close(int code, std::string reason) {
    if (open_) socket_->close(code, std::move(reason));
  }
  const HttpRequest& request() const { return socket_->request(); }
  void closed() { open_ = false; }

 private:
  std::shared_ptr<WebSocket> socket_;
  bool open_ = true;
};

WebSocketTransport::WebSocketTransport(Context& server, Gateway& gateway)
    : server_(server), gateway_(gateway) {
  gateway_.add_transport("janus.transport.websockets", "WebSocket transport",
                         "Requests and events on one connection");
}

WebSocketTransport::~WebSocketTransport() = default;

void WebSocketTransport::serve(Router& router, Listener listener, const std::string& path) {
  router.add_websocket(listener, path, Access::own(),
                       {{kProtocol}, server_.config.janus.max_message_bytes},
                       [this](std::shared_ptr<WebSocket> socket) { accept(std::move(socket)); });
}

void WebSocketTransport::accept(std::shared_ptr<WebSocket> socket) {
  const auto connection = std::make_shared<Connection>(socket);
  connections_.insert(connection);
  const std::weak_ptr<Connection> weak = connection;
  socket->on_message([this, weak](std::string_view text) {
    const auto self = weak.lock();
    if (self == nullptr) return;
    const HttpRequest& request = self->request();
    const Origin origin{self, request.address, bearer_of(request), std::nullopt, std::nullopt};
    gateway_.receive(text, origin, /*several=*/true, [&](const Json& reply) { self->send(reply); });
  });
  socket->on_close([this, weak] {
    const auto self = weak.lock();
    if (self == nullptr) return;
    self->closed();
    gateway_.outlet_gone(*self);
    connections_.erase(self);
  });
}

void WebSocketTransport::stop() {
  const auto open = connections_;
  for (const auto& connection : open) connection->close(kGoingAway, "The server stops");
}

}  // namespace sotto::server::janus
