// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "server/janus/session.h"

#include "server/janus/handle.h"

namespace sotto::server::janus {

Session::Session(std::uint64_t id, std::string address, std::shared_ptr<Outlet> outlet)
    : id_(id), address_(std::move(address)), outlet_(std::move(outlet)) {}

Session::~Session() = default;

void Session::push(Json event) {
  event["session_id"] = id_;
  if (events_.size() == kMaxQueuedEvents) events_.pop_front();
  events_.push_back(std::move(event));
  announce();
}

std::vector<Json> Session::take(std::size_t max) {
  std::vector<Json> taken;
  while (!events_.empty() && taken.size() < max) {
    taken.push_back(std::move(events_.front()));
    events_.pop_front();
  }
  return taken;
}

void Session::set_outlet(std::shared_ptr<Outlet> outlet) {
  outlet_ = std::move(outlet);
  if (outlet_ == nullptr) orphaned_since_ = Clock::now();
  announce();
}

void Session::announce() {
  if (holds_ != 0 || events_.empty() || outlet_ == nullptr) return;
  const auto self = shared_from_this();  // A send that fails may end this session.
  const auto outlet = outlet_;
  outlet->events_waiting(*self);
}

Session::Hold::Hold(std::shared_ptr<Session> session) : session_(std::move(session)) {
  if (session_ != nullptr) ++session_->holds_;
}

Session::Hold::~Hold() {
  if (session_ == nullptr) return;
  --session_->holds_;
  session_->announce();
}

}  // namespace sotto::server::janus
