// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// One WebSocket of a sealed group: what its client says, and the answers (docs/sealed-groups.md).
#pragma once

#include "elements/glue/main_context.h"
#include "server/groups/room.h"

#include <chrono>
#include <memory>
#include <string>
#include <string_view>

namespace sotto::server {

/// Lives as long as its socket, and holds the room for as long.
class GroupConnection : public std::enable_shared_from_this<GroupConnection> {
 public:
  static constexpr std::chrono::milliseconds kJoinDeadline{5'000};
  static constexpr unsigned kMaxFaults = 16;  ///< In a minute; more end the connection.

  GroupConnection(Context& context, std::shared_ptr<GroupRoom> room,
                  std::shared_ptr<WebSocket> socket);
  ~GroupConnection();
  GroupConnection(const GroupConnection&) = delete;
  GroupConnection& operator=(const GroupConnection&) = delete;

  void start();
  /// For a client there is no room for.
  static void turn_away(WebSocket& socket, groups::Refusal code, const std::string& reason,
                        groups::CloseCode close);

 private:
  void received(std::string_view text);
  groups::Outcome<> take(const groups::ClientMessage& message);
  void join(groups::ClientMessage message);
  void refuse(const groups::Refused& refused, const std::string& transaction);
  void close(groups::CloseCode code, const std::string& reason);
  void stop_waiting();

  Context& context_;
  std::shared_ptr<GroupRoom> room_;
  std::shared_ptr<WebSocket> socket_;
  MainContext::Timer deadline_;
  groups::MemberId member_ = 0;  ///< 0: not joined.
  bool waiting_ = false;
  bool open_ = true;
  unsigned faults_ = 0;
  std::chrono::steady_clock::time_point faults_since_{};
};

}  // namespace sotto::server
