// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// A thin line between two peers: a relay on loopback that loses media packets by a fixed seed.
//
//   a ──► [facing a] ─ lose? ─► [facing b] ──► b      and back, where nothing is lost
#pragma once

#include "core/base/bytes.h"
#include "core/rtc/sdp/candidate.h"
#include "core/rtc/sdp/sdp.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <random>
#include <string>
#include <thread>

namespace sotto {

class LossyLine {
 public:
  /// `payload_type`'s packets from a to b are lost with this probability.
  LossyLine(double loss, int payload_type) : loss_(loss), payload_type_(payload_type) {
    for (auto& side : sides_) {
      side.socket = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
      sockaddr_in any{};
      any.sin_family = AF_INET;
      any.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
      EXPECT_EQ(bind(side.socket, reinterpret_cast<sockaddr*>(&any), sizeof(any)), 0);
      socklen_t size = sizeof(side.own);
      getsockname(side.socket, reinterpret_cast<sockaddr*>(&side.own), &size);
    }
    EXPECT_EQ(pipe(stop_.data()), 0);
    thread_ = std::thread([this] { run(); });
  }
  ~LossyLine() {
    ::close(stop_[1]);
    thread_.join();
    ::close(stop_[0]);
    for (const auto& side : sides_) ::close(side.socket);
  }
  LossyLine(const LossyLine&) = delete;
  LossyLine& operator=(const LossyLine&) = delete;

  enum Side { kA = 0, kB = 1 };
  /// That side's description for the other one: its only candidate is the relay.
  std::string through(Side whose, const std::string& sdp) {
    auto description = *rtc::sdp::parse(sdp);
    Side other = whose == kA ? kB : kA;
    bool found = false;
    for (auto& media : description.media) {
      for (const auto value : media.values("candidate")) {
        const auto parsed = rtc::sdp::parse_candidate("candidate:" + std::string(value));
        if (!parsed || parsed->address != "127.0.0.1" || found) continue;
        found = true;
        const std::lock_guard lock(mutex_);
        sides_[whose].peer.sin_family = AF_INET;
        sides_[whose].peer.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        sides_[whose].peer.sin_port = htons(parsed->port);
      }
      media.remove("candidate");
    }
    EXPECT_TRUE(found) << "no loopback candidate in\n" << sdp;
    description.media[0].attributes.push_back(
        {"candidate", "1 1 UDP 2130706431 127.0.0.1 " +
                          std::to_string(ntohs(sides_[other].own.sin_port)) + " typ host"});
    return rtc::sdp::print(description);
  }

  int lost() const { return lost_; }
  /// Media packets from a to b of this payload type, lost or not.
  int seen(int payload_type) {
    const std::lock_guard lock(mutex_);
    return seen_[payload_type];
  }

 private:
  struct OneSide {
    int socket = -1;
    sockaddr_in own{};   // Of the socket; to this side's peer it is the other peer.
    sockaddr_in peer{};  // This side's.
  };

  bool loses(ByteView packet) {
    // RFC 7983: 128 to 191 is RTP or RTCP; RFC 5761: the latter has types 192 to 223.
    if (packet.size() < 12 || packet[0] < 128 || packet[0] > 191) return false;
    if (packet[1] >= 192 && packet[1] <= 223) return false;
    const int type = packet[1] & 0x7F;
    {
      const std::lock_guard lock(mutex_);
      ++seen_[type];
    }
    if (type != payload_type_ || std::uniform_real_distribution<>()(random_) >= loss_) return false;
    ++lost_;
    return true;
  }

  void run() {
    std::array<std::uint8_t, 2048> data{};
    std::array<pollfd, 3> polled{
        {{stop_[0], POLLIN, 0}, {sides_[kA].socket, POLLIN, 0}, {sides_[kB].socket, POLLIN, 0}}};
    while (poll(polled.data(), polled.size(), -1) > 0 && polled[0].revents == 0) {
      for (const Side from : {kA, kB}) {
        if ((polled[1U + from].revents & POLLIN) == 0) continue;
        sockaddr_in source{};
        socklen_t source_size = sizeof(source);
        const auto size = recvfrom(sides_[from].socket, data.data(), data.size(), 0,
                                   reinterpret_cast<sockaddr*>(&source), &source_size);
        if (size <= 0) continue;
        const ByteView packet(data.data(), static_cast<std::size_t>(size));
        const OneSide& to = sides_[from == kA ? kB : kA];
        sockaddr_in address{};
        {
          const std::lock_guard lock(mutex_);
          address = to.peer;
          // Checks from a peer's other addresses would be answered to the one we know.
          const sockaddr_in& known = sides_[from].peer;
          if (source.sin_port != known.sin_port ||
              source.sin_addr.s_addr != known.sin_addr.s_addr || address.sin_port == 0) {
            continue;
          }
        }
        if (from == kA && loses(packet)) continue;
        (void)sendto(to.socket, data.data(), packet.size(), 0,
                     reinterpret_cast<const sockaddr*>(&address), sizeof(address));
      }
    }
  }

  const double loss_;
  const int payload_type_;
  std::array<OneSide, 2> sides_;
  std::array<int, 2> stop_{};
  std::mutex mutex_;  // Protects the peers' addresses and what was seen.
  std::map<int, int> seen_;
  std::atomic<int> lost_{0};
  std::mt19937 random_{20'240'501};
  std::thread thread_;
};

}  // namespace sotto
