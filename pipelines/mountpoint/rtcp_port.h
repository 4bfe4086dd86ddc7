// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// The way back to whoever sends us RTP over UDP: one port for RTCP.
#pragma once

#include "core/base/error.h"

#include <netinet/in.h>

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

namespace sotto {

/// The sender tells where it is by sending RTCP here; keyframe requests go to where the newest
/// came from. Thread safe.
class RtcpPort {
 public:
  /// `address`: an IPv4 address of this machine, empty for loopback. `port` 0: any free one.
  static Result<std::unique_ptr<RtcpPort>> open(const std::string& address, std::uint16_t port);
  ~RtcpPort();
  RtcpPort(const RtcpPort&) = delete;
  RtcpPort& operator=(const RtcpPort&) = delete;

  std::uint16_t port() const { return port_; }
  /// Sends a PLI (RFC 4585, 6.3.1). Nothing while no RTCP has come: there is no address yet.
  void request_keyframe();

 private:
  RtcpPort(int fd, std::uint16_t port) : fd_(fd), port_(port) {}
  void read();

  const int fd_;
  const std::uint16_t port_;
  const std::uint32_t ssrc_ = make_ssrc();
  static std::uint32_t make_ssrc();

  std::mutex mutex_;  // Protects what follows.
  sockaddr_in sender_{};
  std::uint32_t sender_ssrc_ = 0;
  bool known_ = false;
};

}  // namespace sotto
