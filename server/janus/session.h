// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// A session: handles, a bounded queue of events, and the transport that currently owns it.
#pragma once

#include "server/janus/json.h"

#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace sotto::server::janus {

class CoreHandle;
class Session;

/// Where a session's events leave: one per WebSocket connection, one for all long polls.
class Outlet {
 public:
  virtual ~Outlet() = default;
  /// Events wait in the session: take() them now, or later when somebody asks for them.
  virtual void events_waiting(Session& session) = 0;
  /// True when the session dies with this outlet (unless it may be reclaimed).
  virtual bool is_connection() const = 0;
};

class Session : public std::enable_shared_from_this<Session> {
 public:
  using Clock = std::chrono::steady_clock;
  /// A client that reads nothing loses its oldest events; it is gone at the session time-out.
  static constexpr std::size_t kMaxQueuedEvents = 500;

  Session(std::uint64_t id, std::string address, std::shared_ptr<Outlet> outlet);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  std::uint64_t id() const { return id_; }
  const std::string& address() const { return address_; }
  std::map<std::uint64_t, std::shared_ptr<CoreHandle>>& handles() { return handles_; }

  void touch() { last_activity_ = Clock::now(); }
  Clock::time_point last_activity() const { return last_activity_; }

  /// Queues an event (session_id is added) and tells the outlet unless held.
  void push(Json event);
  /// Up to `max` events, oldest first.
  std::vector<Json> take(std::size_t max);
  bool has_events() const { return !events_.empty(); }

  const std::shared_ptr<Outlet>& outlet() const { return outlet_; }
  /// Null: the connection is gone and the session waits to be reclaimed.
  void set_outlet(std::shared_ptr<Outlet> outlet);
  Clock::time_point orphaned_since() const { return orphaned_since_; }

  /// While one of these lives, events wait: the reply to a request goes out before them.
  class Hold {
   public:
    explicit Hold(std::shared_ptr<Session> session);
    ~Hold();
    Hold(const Hold&) = delete;
    Hold& operator=(const Hold&) = delete;

   private:
    std::shared_ptr<Session> session_;
  };

 private:
  void announce();

  const std::uint64_t id_;
  const std::string address_;
  std::shared_ptr<Outlet> outlet_;
  Clock::time_point last_activity_ = Clock::now();
  Clock::time_point orphaned_since_{};
  std::deque<Json> events_;
  unsigned holds_ = 0;
  std::map<std::uint64_t, std::shared_ptr<CoreHandle>> handles_;
};

}  // namespace sotto::server::janus
