// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "pipelines/mountpoint/rtcp_port.h"

#include "core/base/random.h"
#include "pipelines/mountpoint/udp_socket.h"

#include <sys/socket.h>
#include <unistd.h>

#include <array>

namespace sotto {
namespace {

// RFC 3550, 6: version 2 in the upper bits, types from 192 to 223; the sender's SSRC comes fifth.
constexpr std::size_t kMinRtcp = 8;
constexpr std::uint8_t kPayloadFeedback = 206;
constexpr std::uint8_t kPli = 1;

std::uint32_t read32(const std::uint8_t* at) {
  return std::uint32_t{at[0]} << 24U | std::uint32_t{at[1]} << 16U | std::uint32_t{at[2]} << 8U |
         at[3];
}

void write32(std::uint8_t* at, std::uint32_t value) {
  for (int i = 0; i < 4; ++i) at[i] = static_cast<std::uint8_t>(value >> (24 - 8 * i));
}

}  // namespace

std::uint32_t RtcpPort::make_ssrc() { return random_u32(); }

Result<std::unique_ptr<RtcpPort>> RtcpPort::open(const std::string& address, std::uint16_t port) {
  const auto bound = bind_udp(address, port);
  if (!bound) return tl::unexpected<Error>(bound.error());
  return std::unique_ptr<RtcpPort>(new RtcpPort(bound->fd, bound->port));
}

RtcpPort::~RtcpPort() { ::close(fd_); }

/// What came since the last request; the kernel has kept it for us.
void RtcpPort::read() {
  std::array<std::uint8_t, 2048> packet{};
  for (;;) {
    sockaddr_in from{};
    socklen_t size = sizeof from;
    const auto got =
        ::recvfrom(fd_, packet.data(), packet.size(), 0, reinterpret_cast<sockaddr*>(&from), &size);
    if (got < 0) return;
    const bool rtcp = static_cast<std::size_t>(got) >= kMinRtcp && packet[0] >> 6U == 2 &&
                      packet[1] >= 192 && packet[1] <= 223;
    if (!rtcp) continue;
    sender_ = from;
    sender_ssrc_ = read32(packet.data() + 4);
    known_ = true;
  }
}

void RtcpPort::request_keyframe() {
  const std::lock_guard lock(mutex_);
  read();
  if (!known_) return;
  std::array<std::uint8_t, 12> pli{0x80 | kPli, kPayloadFeedback, 0, 2};
  write32(pli.data() + 4, ssrc_);
  write32(pli.data() + 8, sender_ssrc_);
  // Lost or refused it is asked for again: viewers without a picture do not give up.
  (void)::sendto(fd_, pli.data(), pli.size(), MSG_NOSIGNAL,
                 reinterpret_cast<const sockaddr*>(&sender_), sizeof sender_);
}

}  // namespace sotto
