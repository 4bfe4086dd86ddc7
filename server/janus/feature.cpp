// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "server/janus/feature.h"

#include "server/config/config.h"
#include "server/http/router.h"
#include "server/janus/transports/http.h"
#include "server/janus/transports/websocket.h"

namespace sotto::server::janus {

JanusFeature::JanusFeature(Context& context, PeerFactory make_peer)
    : context_(context), gateway_(context_, std::move(make_peer)) {
  const std::string& base = context_.config.janus.base_path;

  // On the server's own listener too, so that its pages reach the API from their own origin.
  auto http = std::make_unique<HttpTransport>(context_, gateway_);
  http->serve(context_.router, Listener::kJanusHttp, base);
  http->serve(context_.router, Listener::kMain, base);
  transports_.push_back(std::move(http));

  auto websocket = std::make_unique<WebSocketTransport>(context_, gateway_);
  websocket->serve(context_.router, Listener::kJanusWs, "/{any...}");
  websocket->serve(context_.router, Listener::kMain, base + "-ws");
  transports_.push_back(std::move(websocket));
}

JanusFeature::~JanusFeature() = default;

void JanusFeature::stop() {
  gateway_.stop();
  for (const auto& transport : transports_) transport->stop();
}

}  // namespace sotto::server::janus
