// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// The network between two peers, to be cut: descriptions are made to name it instead of the peers.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <sstream>
#include <string>
#include <thread>

namespace sotto {

/// Two UDP sockets on loopback: what comes to one leaves by the other, until cut() is called.
class Relay {
 public:
  Relay() {
    for (auto& side : sides_) {
      side.fd = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
      sockaddr_in own = address(0);
      socklen_t size = sizeof own;
      EXPECT_EQ(::bind(side.fd, reinterpret_cast<sockaddr*>(&own), size), 0);
      EXPECT_EQ(::getsockname(side.fd, reinterpret_cast<sockaddr*>(&own), &size), 0);
      side.port = ntohs(own.sin_port);
    }
    thread_ = std::thread([this] { run(); });
  }
  ~Relay() {
    stopping_ = true;
    thread_.join();
    for (const auto& side : sides_) ::close(side.fd);
  }
  Relay(const Relay&) = delete;
  Relay& operator=(const Relay&) = delete;

  /// The description of peer 0 or 1 as the other one is to see it: its loopback candidate is
  /// ours, and there is no other.
  std::string dress(const std::string& sdp, std::size_t who) {
    std::istringstream lines(sdp);
    std::string dressed;
    for (std::string line; std::getline(lines, line);) {
      if (line.rfind("a=candidate:", 0) == 0) {
        // foundation component UDP priority address port …
        std::istringstream words(line);
        std::array<std::string, 6> word;
        for (auto& each : word) words >> each;
        if (word[4] != "127.0.0.1" || peers_[who] != 0) continue;
        peers_[who] = static_cast<std::uint16_t>(std::stoi(word[5]));
        std::string rest;
        std::getline(words, rest);
        line = word[0] + " " + word[1] + " " + word[2] + " " + word[3] + " " + word[4] + " " +
               std::to_string(sides_[1 - who].port) + rest;
      }
      dressed += line + "\n";
    }
    EXPECT_NE(peers_[who], 0) << "no loopback candidate in\n" << sdp;
    return dressed;
  }
  void cut() { cut_ = true; }

 private:
  struct Side {
    int fd = -1;
    std::uint16_t port = 0;
  };
  static sockaddr_in address(std::uint16_t port) {
    sockaddr_in made{};
    made.sin_family = AF_INET;
    made.sin_port = htons(port);
    made.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return made;
  }
  void run() {
    std::array<char, 2048> packet{};
    while (!stopping_) {
      std::array<pollfd, 2> waits{{{sides_[0].fd, POLLIN, 0}, {sides_[1].fd, POLLIN, 0}}};
      ::poll(waits.data(), waits.size(), 20);
      for (std::size_t who = 0; who < 2; ++who) {
        if ((waits[who].revents & POLLIN) == 0) continue;
        // Side `who` faces peer `who`.
        const auto size = ::recv(sides_[who].fd, packet.data(), packet.size(), 0);
        if (size <= 0 || cut_ || peers_[1 - who] == 0) continue;
        const sockaddr_in to = address(peers_[1 - who]);
        ::sendto(sides_[1 - who].fd, packet.data(), static_cast<std::size_t>(size), 0,
                 reinterpret_cast<const sockaddr*>(&to), sizeof to);
      }
    }
  }

  std::array<Side, 2> sides_;
  std::array<std::atomic<std::uint16_t>, 2> peers_{};
  std::atomic<bool> cut_{false};
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

}  // namespace sotto
