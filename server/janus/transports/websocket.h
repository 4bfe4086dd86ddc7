// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// The Janus API over WebSocket: subprotocol `janus-protocol`, events pushed on the connection that
// created or claimed the session.
#pragma once

#include "server/http/router.h"
#include "server/janus/gateway.h"
#include "server/janus/transports/transport.h"

#include <memory>
#include <set>

namespace sotto::server::janus {

class WebSocketTransport final : public Transport {
 public:
  WebSocketTransport(Context& server, Gateway& gateway);
  ~WebSocketTransport() override;

  /// `path` may be "/{any...}": Janus takes any path on its own port.
  void serve(Router& router, Listener listener, const std::string& path);
  void stop() override;

 private:
  class Connection;

  void accept(std::shared_ptr<WebSocket> socket);

  Context& server_;
  Gateway& gateway_;
  std::set<std::shared_ptr<Connection>> connections_;
};

}  // namespace sotto::server::janus
