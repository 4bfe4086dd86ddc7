// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// A member of a sealed group, played by hand.
#pragma once

#include "core/groups/messages.h"
#include "tests/support/socket_client.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>

namespace sotto::test {

class GroupMember : public SocketClient {
 public:
  GroupMember(const std::string& url, const std::string& token)
      : SocketClient(url, token, {groups::kProtocol}) {}

  static Bytes identity(std::uint8_t who) {
    Bytes spki = *from_hex("3059301306072a8648ce3d020106082a8648ce3d03010703420004");
    spki.resize(groups::kIdentityBytes, who);
    return spki;
  }

  using SocketClient::say;
  void say(groups::ClientBody body, const std::string& transaction = {}) {
    say(print(groups::ClientMessage{transaction, std::move(body)}));
  }
  groups::Welcome join(std::uint8_t who, groups::Role role = groups::Role::kSender) {
    say(groups::Join{identity(who), {who}, role});
    auto welcome = hear<groups::Welcome>();
    EXPECT_TRUE(welcome) << "no welcome for " << int{who};
    if (welcome) number = welcome->member;
    return welcome.value_or(groups::Welcome{});
  }
  /// The next message, which has to be of this kind.
  template <class T>
  std::optional<T> hear() {
    const auto text = SocketClient::hear();
    const auto message = text ? groups::parse_server(*text) : fail(ErrorCode::kIo, "it ended");
    if (!message || !std::holds_alternative<T>(*message)) {
      ADD_FAILURE() << "heard instead: " << text.value_or("the end");
      return std::nullopt;
    }
    return std::get<T>(*message);
  }
  std::string refusal() {
    const auto failed = hear<groups::Failed>();
    return failed ? failed->code : "";
  }
  bool done(const std::string& transaction) {
    const auto done = hear<groups::Done>();
    return done && done->transaction == transaction;
  }

  groups::MemberId number = 0;
};

}  // namespace sotto::test
