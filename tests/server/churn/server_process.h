// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// sotto-server as a process of its own, with one RTP mountpoint, for tests that count what a
// process uses.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>

namespace sotto::test {

class ServerProcess {
 public:
  /// Starts it and waits until it is ready; check running().
  ServerProcess();
  /// Asks it to stop; see exit_code() for how that went when it matters.
  ~ServerProcess();
  ServerProcess(const ServerProcess&) = delete;
  ServerProcess& operator=(const ServerProcess&) = delete;

  bool running() const;
  pid_t pid() const { return pid_; }
  const std::string& janus_url() const { return janus_url_; }
  std::uint16_t rtp_port() const { return rtp_port_; }
  std::string log() const;
  /// SIGTERM, then its exit code; -1 when it did not end by itself in time.
  int stop();

 private:
  bool wait_ready(int folder_watch);

  std::filesystem::path folder_;
  std::string janus_url_;
  std::uint16_t rtp_port_ = 0;
  pid_t pid_ = -1;
};

}  // namespace sotto::test
