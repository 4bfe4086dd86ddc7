// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "server/groups/connection.h"

#include "server/base/log.h"

#include <utility>

namespace sotto::server {

using groups::CloseCode;
using groups::Outcome;
using groups::Refusal;
using groups::Refused;
using std::chrono::steady_clock;

namespace {

constexpr std::chrono::minutes kFaultWindow{1};
constexpr int kNormal = 1000;  // RFC 6455, 7.4.1

tl::unexpected<Refused> no(Refusal code, std::string reason) {
  return tl::unexpected<Refused>(Refused{code, std::move(reason)});
}

std::string failure(const Refused& refused, const std::string& transaction) {
  return print(groups::ServerMessage(
      groups::Failed{std::string(name_of(refused.code)), refused.reason, transaction}));
}

}  // namespace

GroupConnection::GroupConnection(Context& context, std::shared_ptr<GroupRoom> room,
                                 std::shared_ptr<WebSocket> socket)
    : context_(context), room_(std::move(room)), socket_(std::move(socket)) {}

GroupConnection::~GroupConnection() { stop_waiting(); }

void GroupConnection::turn_away(WebSocket& socket, Refusal code, const std::string& reason,
                                CloseCode close) {
  socket.send(failure({code, reason}, {}));
  socket.close(static_cast<int>(close), reason);
}

void GroupConnection::start() {
  if (!room_->enter()) {
    room_->count_refusal(Refusal::kBusy);
    turn_away(*socket_, Refusal::kBusy, "too many are joining: try again", CloseCode::kRefused);
    return;
  }
  waiting_ = true;
  deadline_ = context_.loop.after(kJoinDeadline, [this] {
    refuse({Refusal::kTooLate, "you did not join in time"}, {});
    close(CloseCode::kRefused, "no join");
  });
  socket_->on_message([self = shared_from_this()](std::string_view text) { self->received(text); });
  // Posted: the socket may break while the group is telling its members something.
  socket_->on_close([self = shared_from_this()] {
    self->open_ = false;
    self->context_.loop.post([self] {
      self->stop_waiting();
      if (const auto member = std::exchange(self->member_, groups::MemberId{0}); member != 0) {
        self->room_->leave(member);
      }
    });
  });
}

void GroupConnection::stop_waiting() {
  deadline_.cancel();
  if (std::exchange(waiting_, false)) room_->exit();
}

void GroupConnection::close(CloseCode code, const std::string& reason) {
  open_ = false;
  socket_->close(static_cast<int>(code), reason);
}

void GroupConnection::refuse(const Refused& refused, const std::string& transaction) {
  room_->count_refusal(refused.code);
  log::debug("groups", "refused",
             {{"group", room_->group().settings().id},
              {"code", std::string(name_of(refused.code))},
              {"reason", refused.reason}});
  socket_->send(failure(refused, transaction));
}

void GroupConnection::received(std::string_view text) {
  // Removed, replaced or refused: the close is on its way.
  if (!open_ || room_->closed() || (member_ != 0 && !room_->has(member_))) return;
  std::string transaction;
  auto message = groups::parse_client(text, &transaction);
  if (!message) {
    refuse({Refusal::kMalformed, message.error().message}, transaction);
    if (member_ == 0) {
      close(CloseCode::kRefused, "a join was expected");
      return;
    }
    const auto now = steady_clock::now();
    if (now - faults_since_ > kFaultWindow) {
      faults_since_ = now;
      faults_ = 0;
    }
    if (++faults_ > kMaxFaults) close(CloseCode::kPolicy, "too many messages that make no sense");
    return;
  }
  if (member_ == 0) {
    join(std::move(*message));
    return;
  }
  const auto taken = take(*message);
  if (!taken) {
    refuse(taken.error(), transaction);
    return;
  }
  if (!transaction.empty()) {
    socket_->send(print(groups::ServerMessage(groups::Done{transaction})));
  }
  if (std::holds_alternative<groups::Leave>(message->body)) {
    room_->leave(std::exchange(member_, groups::MemberId{0}));
    open_ = false;
    socket_->close(kNormal, "");
  }
}

void GroupConnection::join(groups::ClientMessage message) {
  auto* wanted = std::get_if<groups::Join>(&message.body);
  if (wanted == nullptr) {
    refuse({Refusal::kNotJoined, "join first"}, message.transaction);
    close(CloseCode::kRefused, "a join was expected");
    return;
  }
  stop_waiting();
  const auto member = room_->join(std::move(*wanted), message.transaction, socket_);
  if (!member) {
    refuse(member.error(), message.transaction);
    close(CloseCode::kRefused, member.error().reason);
    return;
  }
  member_ = *member;
}

Outcome<> GroupConnection::take(const groups::ClientMessage& message) {
  if (const auto* letter = std::get_if<groups::Send>(&message.body)) {
    return room_->send(member_, *letter);
  }
  if (const auto* announced = std::get_if<groups::Announce>(&message.body)) {
    return room_->announce(member_, *announced);
  }
  if (const auto* renewed = std::get_if<groups::Renew>(&message.body)) {
    return room_->renew(member_, *renewed);
  }
  if (const auto* removal = std::get_if<groups::Remove>(&message.body)) {
    const auto& asks = socket_->request().principal;
    if (removal->member != member_ &&
        !asks.may("group:" + room_->group().settings().id + ":admin")) {
      return no(Refusal::kDenied, "members remove themselves; others are for administrators");
    }
    return room_->remove(removal->member, member_);
  }
  if (std::holds_alternative<groups::Rekey>(message.body)) return room_->rekey(member_);
  if (std::holds_alternative<groups::Leave>(message.body)) return {};
  return no(Refusal::kMalformed, "you are in the group already");
}

}  // namespace sotto::server
