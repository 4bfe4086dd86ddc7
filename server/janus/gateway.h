// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// The core of the Janus API: requests in, replies and events out, whatever the transport.
//
// The order in which a request is checked is part of the interface (clients and tests rely on
// it): JSON, mandatory members, scope (without ids only info, ping and create), secret or token,
// session, handle, verb.
#pragma once

#include "server/janus/errors.h"
#include "server/janus/gatekeeper.h"
#include "server/janus/handle.h"
#include "server/janus/peers.h"
#include "server/janus/plugin.h"
#include "server/janus/session.h"

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace sotto::server::janus {

/// Where a request comes from.
struct Origin {
  std::shared_ptr<Outlet> outlet;  ///< Owns the sessions it creates or claims.
  std::string address;             ///< The client's, for limits.
  Principal principal;             ///< Whom the transport identified, if anybody.
  /// Ids of the HTTP path. They must not contradict the body's.
  std::optional<std::uint64_t> session_id;
  std::optional<std::uint64_t> handle_id;
};

class Gateway {
 public:
  using Reply = std::function<void(Json)>;

  Gateway(Context& server, PeerFactory make_peer);
  ~Gateway();
  Gateway(const Gateway&) = delete;
  Gateway& operator=(const Gateway&) = delete;

  /// Handles one message of JSON text; `reply` is called once per object in it, before this
  /// returns. `several`: the message may hold more than one object.
  void receive(std::string_view text, const Origin& origin, bool several, const Reply& reply);

  /// The answer to `info`.
  Json server_info(const std::string& transaction) const;
  const Gatekeeper& gatekeeper() const { return gatekeeper_; }
  std::shared_ptr<Session> find(std::uint64_t session_id) const;
  std::size_t sessions() const { return sessions_.size(); }
  /// A connection closed: its sessions end now, or wait reclaim_timeout for another to claim them.
  void outlet_gone(const Outlet& outlet);
  /// Names of the transports for server_info, e.g. "sotto.transport.http".
  void add_transport(std::string package, std::string name, std::string description);
  /// Every session is told `timeout` and ends. For a graceful stop.
  void stop();

 private:
  struct Request;
  struct TransportInfo {
    std::string package, name, description;
  };

  Json handle(const Json& body, const Origin& origin,
              std::vector<std::shared_ptr<Session::Hold>>& holds);
  Json create(const Request& request, const Origin& origin);
  Json session_verb(const Request& request, const Origin& origin, Session& session);
  Json handle_verb(const Request& request, Session& session, CoreHandle& handle);
  Json attach(const Request& request, Session& session);
  Json message(const Request& request, Session& session, CoreHandle& handle);
  Json trickle(const Request& request, Session& session, CoreHandle& handle);
  void end_session(std::uint64_t id);
  void expire_sessions();
  void collect_metrics();

  Context& server_;
  Gatekeeper gatekeeper_;
  HandleCore core_;
  std::map<std::string, std::unique_ptr<Plugin>> plugins_;
  std::vector<TransportInfo> transports_;
  std::unordered_map<std::uint64_t, std::shared_ptr<Session>> sessions_;
  std::unordered_map<std::string, std::size_t> sessions_of_address_;
  bool accepting_ = true;
  MainContext::Timer expiry_timer_;
};

}  // namespace sotto::server::janus
