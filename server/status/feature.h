// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// How the server is: health, figures, the CA to install, and the feed of events.
#pragma once

#include "server/base/context.h"

#include <chrono>
#include <map>
#include <memory>

namespace sotto::server {

class WebSocket;

/// GET /healthz, /readyz, /v1/status, /v1/ca.pem; WebSocket /v1/events.
class StatusFeature : public Feature {
 public:
  explicit StatusFeature(Context& context);

 private:
  struct Watcher {
    std::shared_ptr<WebSocket> socket;
    std::shared_ptr<void> events;
  };

  void watch(EventBus& events, const std::shared_ptr<WebSocket>& socket);

  std::chrono::steady_clock::time_point started_ = std::chrono::steady_clock::now();
  std::map<WebSocket*, Watcher> watchers_;
};

}  // namespace sotto::server
