// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// A WebSocket on libsoup, with the bounds libsoup lacks.
#pragma once

#include "elements/glue/main_context.h"
#include "server/http/connections.h"
#include "server/http/router.h"

#include <libsoup/soup.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>

namespace sotto::server {

struct SocketLimits {
  /// Text that waits for a client that does not read. One SDP is 10 kB, a list of rooms 100 kB.
  std::size_t queue_bytes = 4U << 20U;
  std::chrono::seconds ping_interval{20};
  /// Two pings unanswered, and then some.
  std::chrono::seconds silence_deadline{50};
};

class SoupSocket : public WebSocket, public std::enable_shared_from_this<SoupSocket> {
 public:
  /// `socket` is the connection's GSocket (a reference is taken); `stream` a metered stream.
  SoupSocket(MainContext& loop, SocketLimits limits, std::size_t max_message, HttpRequest request,
             SoupWebsocketConnection* connection, GIOStream* stream, GSocket* socket);
  ~SoupSocket() override;

  void send(std::string text) override;
  void close(int code, std::string reason) override;
  void on_message(std::function<void(std::string_view)> handler) override;
  void on_close(std::function<void()> handler) override;
  const HttpRequest& request() const override { return request_; }

  /// For the router, which keeps the socket alive until then. Called once, after on_close's
  /// handler.
  void on_gone(std::function<void()> handler) { gone_ = std::move(handler); }
  /// Ends it without the closing handshake.
  void drop(const char* why);

 private:
  void received(SoupWebsocketDataType type, GBytes* message);
  void closed();
  void pong();
  void check();
  void allow_next_message();

  MainContext& loop_;
  SocketLimits limits_;
  std::size_t max_message_;
  HttpRequest request_;
  SoupWebsocketConnection* connection_;
  GIOStream* stream_;
  GSocket* socket_;
  std::function<void(std::string_view)> message_;
  std::function<void()> close_;
  std::function<void()> gone_;
  MainContext::Timer timer_;
  std::chrono::steady_clock::time_point heard_;
  std::uint64_t queued_ = 0;
  std::chrono::steady_clock::time_point allowed_;
  bool open_ = true;
};

}  // namespace sotto::server
