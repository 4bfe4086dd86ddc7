// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "pipelines/mountpoint/udp_socket.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace sotto {

Result<BoundSocket> bind_udp(const std::string& address, std::uint16_t port) {
  sockaddr_in own{};
  own.sin_family = AF_INET;
  own.sin_port = htons(port);
  if (::inet_pton(AF_INET, address.empty() ? "127.0.0.1" : address.c_str(), &own.sin_addr) != 1 ||
      IN_MULTICAST(ntohl(own.sin_addr.s_addr))) {
    return fail(ErrorCode::kInvalid, "A port needs an IPv4 address of this machine");
  }
  const int fd = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  socklen_t size = sizeof own;
  if (fd < 0 || ::bind(fd, reinterpret_cast<const sockaddr*>(&own), size) != 0 ||
      ::getsockname(fd, reinterpret_cast<sockaddr*>(&own), &size) != 0) {
    const std::string why = std::strerror(errno);
    if (fd >= 0) ::close(fd);
    return fail(ErrorCode::kIo, "UDP port " + std::to_string(port) + ": " + why);
  }
  return BoundSocket{fd, ntohs(own.sin_port)};
}

}  // namespace sotto
