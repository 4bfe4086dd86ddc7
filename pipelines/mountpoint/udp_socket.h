// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// One bound UDP socket, for what is not RTP.
#pragma once

#include "core/base/error.h"

#include <cstdint>
#include <string>

namespace sotto {

struct BoundSocket {
  int fd = -1;  ///< Not blocking; the caller's to close.
  std::uint16_t port = 0;
};

/// `address`: an IPv4 address of this machine, empty for loopback; no group. `port` 0: any free
/// one.
Result<BoundSocket> bind_udp(const std::string& address, std::uint16_t port);

}  // namespace sotto
