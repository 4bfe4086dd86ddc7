// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// One sealed group of this server: core/groups with sockets, claims on sources, events and counts.
#pragma once

#include "core/groups/group.h"
#include "server/base/context.h"
#include "server/http/router.h"

#include <cstdint>
#include <map>
#include <memory>
#include <string>

namespace sotto::server {

/// Main context only. A socket that breaks while it is written to says so later: by then the group
/// has done what it was at.
class GroupRoom : public groups::Listener {
 public:
  /// Connections that have not joined yet.
  static constexpr std::size_t kMaxWaiting = 64;

  GroupRoom(Context& context, groups::Settings settings);
  ~GroupRoom() override;
  GroupRoom(const GroupRoom&) = delete;
  GroupRoom& operator=(const GroupRoom&) = delete;

  const groups::Group& group() const { return group_; }
  /// Everybody goes; further joins are refused.
  void close(groups::CloseCode code, const std::string& reason);

  // For the connections.
  bool closed() const { return closed_; }
  /// False: too many are waiting.
  bool enter();
  void exit() { --waiting_; }
  groups::Outcome<groups::MemberId> join(groups::Join join, const std::string& transaction,
                                         const std::shared_ptr<WebSocket>& socket);
  bool has(groups::MemberId member) const { return sockets_.contains(member); }
  void leave(groups::MemberId member);
  groups::Outcome<> remove(groups::MemberId member, groups::MemberId by);
  groups::Outcome<> send(groups::MemberId from, const groups::Send& letter);
  groups::Outcome<> renew(groups::MemberId member, groups::Renew renewed);
  groups::Outcome<> rekey(groups::MemberId member);
  groups::Outcome<> announce(groups::MemberId member, const groups::Announce& announced);
  void count_refusal(groups::Refusal refusal);

  void tell(std::span<const groups::MemberId> to, const groups::ServerMessage& message) override;
  void dismiss(groups::MemberId member, groups::CloseCode code, const std::string& reason) override;

 private:
  using Claims = std::map<std::string, std::shared_ptr<void>>;

  /// The member is out of the group: its claims end, and the bus hears of it.
  void gone(groups::MemberId member, const std::string& subject, const char* why, Claims claims);

  Context& context_;
  groups::Group group_;
  std::map<groups::MemberId, std::shared_ptr<WebSocket>> sockets_;
  std::map<groups::MemberId, Claims> claims_;
  std::map<groups::MemberId, std::string> subjects_;
  std::size_t waiting_ = 0;
  bool closed_ = false;
};

}  // namespace sotto::server
