// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// The Janus API over HTTP: requests by POST, events by long poll.
//
//   POST /janus, /janus/{session}, /janus/{session}/{handle}   a request; 200 whatever the answer
//   GET  /janus/{session}?maxev=N                              events, or `keepalive` after 30 s
//   GET  /janus/info, /janus/ping
#pragma once

#include "server/http/router.h"
#include "server/janus/gateway.h"
#include "server/janus/transports/transport.h"

#include <chrono>
#include <deque>
#include <set>
#include <unordered_map>

namespace sotto::server::janus {

class HttpTransport final : public Transport {
 public:
  /// `wait`: how long a poll stays open without events.
  HttpTransport(Context& server, Gateway& gateway,
                std::chrono::milliseconds wait = std::chrono::seconds(30));
  ~HttpTransport() override;

  /// Serves the API below `base` on `listener`.
  void serve(Router& router, Listener listener, const std::string& base);
  void stop() override;
  std::size_t waiting() const;  ///< Polls that are open now.

 private:
  struct Poll;
  class PollOutlet;

  void post(const ExchangePtr& exchange);
  void get(const ExchangePtr& exchange);
  void poll(const ExchangePtr& exchange, std::uint64_t session_id);
  void deliver(Session& session);
  void finish(const std::shared_ptr<Poll>& poll, std::vector<Json> events);
  void forget(const std::shared_ptr<Poll>& poll);

  Context& server_;
  Gateway& gateway_;
  const std::chrono::milliseconds wait_;
  std::shared_ptr<PollOutlet> outlet_;
  std::unordered_map<std::uint64_t, std::deque<std::shared_ptr<Poll>>> polls_;
};

}  // namespace sotto::server::janus
