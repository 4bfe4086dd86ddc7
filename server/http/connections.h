// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// What libsoup 3.2 does not do for a server's connections: accept them without losing a reference
// or the listener, count them per address, and end those that are silent.
#pragma once

#include "elements/glue/main_context.h"

#include <gio/gio.h>

#include <chrono>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <string>

namespace sotto::server {

struct ConnectionLimits {
  /// A whole request header, and before it the TLS handshake, must be here by then.
  std::chrono::milliseconds header_deadline{15'000};
  /// A whole body. 64 KiB by a bad mobile connection take a few seconds.
  std::chrono::milliseconds body_deadline{30'000};
  /// A client that takes nothing of our answer for so long is gone.
  std::chrono::milliseconds write_deadline{30'000};
  /// A school behind one NAT is fine, a flood from one machine is not.
  std::size_t per_address = 1024;
  std::size_t total = 16'384;
};

/// One TCP connection. Attached to its GSocket and destroyed with it.
class Connection {
 public:
  virtual ~Connection() = default;
  /// Ends the connection unless another call comes within `deadline`.
  virtual void expect_within(std::chrono::milliseconds deadline, const char* what) = 0;
  virtual void expect_nothing() = 0;
  virtual void cut() = 0;
  virtual const std::string& address() const = 0;
  virtual bool tls() const = 0;
  virtual GSocket* socket() const = 0;
  /// A request is being read, handled or answered, or the connection is a WebSocket.
  virtual void set_busy(bool busy) = 0;
};

/// Main context only.
class Connections {
 public:
  Connections(MainContext& loop, ConnectionLimits limits);
  /// Tracks a socket that was just accepted; null when a limit was reached: then it is to be
  /// closed.
  Connection* add(GSocket* socket, bool tls);
  /// The connection `socket` belongs to.
  static Connection* of(GSocket* socket);
  std::size_t count() const;
  std::size_t busy() const;
  void cut_idle();
  void cut_all();
  const ConnectionLimits& limits() const { return limits_; }

 private:
  struct Book;
  class Tracked;
  MainContext& loop_;
  ConnectionLimits limits_;
  std::shared_ptr<Book> book_;
};

}  // namespace sotto::server
