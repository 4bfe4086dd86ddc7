// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// The Janus API as a feature of the server: core, plugins and transports put together.
#pragma once

#include "server/base/context.h"
#include "server/janus/gateway.h"
#include "server/janus/peers.h"
#include "server/janus/recording.h"
#include "server/janus/transports/http.h"
#include "server/janus/transports/websocket.h"

#include <chrono>
#include <memory>

namespace sotto::server::janus {

class JanusFeature final : public Feature {
 public:
  explicit JanusFeature(Context& context);
  /// With peer connections of another make; for tests.
  JanusFeature(Context& context, PeerFactory make_peer,
               std::chrono::milliseconds poll_wait = std::chrono::seconds(30));

  void stop() override;
  Gateway& gateway() { return gateway_; }
  HttpTransport& http() { return http_; }

 private:
  Context context_;
  std::unique_ptr<recording::Repair> repair_;  ///< Lists its files before anything is recorded.
  Gateway gateway_;
  HttpTransport http_;
  WebSocketTransport websocket_;
};

}  // namespace sotto::server::janus
