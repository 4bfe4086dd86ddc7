// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// Datagrams that are to become messages of data channels.
#pragma once

#include "core/base/bytes.h"
#include "core/base/error.h"
#include "elements/glue/main_context.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace sotto {

/// Listens from creation to destruction; both on the context's thread, where `receive` is called.
class DataPort {
 public:
  /// Read at one go; the rest waits for the other things a main loop does.
  static constexpr int kMaxAtOnce = 64;

  using Receive = std::function<void(ByteView datagram)>;

  /// `address`: an IPv4 address of this machine, empty for loopback. `port` 0: any free one. kIo
  /// names what could not be bound.
  static Result<std::unique_ptr<DataPort>> open(MainContext& main, const std::string& address,
                                                std::uint16_t port, Receive receive);
  ~DataPort();
  DataPort(const DataPort&) = delete;
  DataPort& operator=(const DataPort&) = delete;

  std::uint16_t port() const { return port_; }

 private:
  DataPort(int fd, std::uint16_t port, Receive receive)
      : fd_(fd), port_(port), receive_(std::move(receive)) {}
  void read();

  const int fd_;
  const std::uint16_t port_;
  const Receive receive_;
  GSource* source_ = nullptr;
};

}  // namespace sotto
