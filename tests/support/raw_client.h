// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// A TCP connection that says exactly what a test wants, for clients that break the rules.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace sotto::test {

class RawClient {
 public:
  /// `url` is scheme://localhost:port; always 127.0.0.1.
  explicit RawClient(const std::string& url) {
    const auto port = std::stoi(url.substr(url.rfind(':') + 1));
    fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(static_cast<std::uint16_t>(port));
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = ::connect(fd_, reinterpret_cast<const sockaddr*>(&to), sizeof(to)) == 0;
  }
  RawClient(RawClient&& other) noexcept
      : fd_(std::exchange(other.fd_, -1)), connected_(other.connected_) {}
  RawClient& operator=(RawClient&&) = delete;
  ~RawClient() { close(); }

  bool connected() const { return connected_; }
  int fd() const { return fd_; }

  /// False when the other side has gone.
  bool send(std::string_view text) {
    while (!text.empty()) {
      const ssize_t n = ::send(fd_, text.data(), text.size(), MSG_NOSIGNAL);
      if (n <= 0) return false;
      text.remove_prefix(static_cast<std::size_t>(n));
    }
    return true;
  }
  /// What can be sent without waiting; false when the other side has gone.
  bool send_some(std::string_view text, std::size_t& sent) {
    const ssize_t n = ::send(fd_, text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    sent = n > 0 ? static_cast<std::size_t>(n) : 0;
    return n > 0 || errno == EAGAIN;
  }

  /// Everything until the connection ends. Empty and `closed` false: time is up.
  std::string read_to_end(std::chrono::milliseconds within = std::chrono::seconds(60)) {
    std::string all;
    while (read_some(all, within)) {
    }
    return all;
  }
  /// Until `mark` has come.
  std::string read_until(std::string_view mark,
                         std::chrono::milliseconds within = std::chrono::seconds(60)) {
    std::string all;
    while (all.find(mark) == std::string::npos && read_some(all, within)) {
    }
    return all;
  }
  /// Whatever comes next; empty when the connection ended or time is up.
  std::string read_more(std::chrono::milliseconds within = std::chrono::seconds(60)) {
    std::string some;
    read_some(some, within);
    return some;
  }
  /// True once the other side has closed or reset.
  bool closed() const { return closed_; }

  void close() {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }

 private:
  bool read_some(std::string& all, std::chrono::milliseconds within) {
    pollfd wait{.fd = fd_, .events = POLLIN};
    if (::poll(&wait, 1, static_cast<int>(within.count())) <= 0) return false;
    char buffer[4096];
    const ssize_t n = ::recv(fd_, buffer, sizeof(buffer), 0);
    if (n <= 0) {
      closed_ = true;
      return false;
    }
    all.append(buffer, static_cast<std::size_t>(n));
    return true;
  }

  int fd_ = -1;
  bool connected_ = false;
  bool closed_ = false;
};

}  // namespace sotto::test
