// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The socket of a key agent: serves the processes of one user, in one thread.
#pragma once

#include "core/agent/epochs.h"

#include <chrono>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <functional>
#include <map>

namespace sotto::cli {

class AgentServer {
 public:
  static constexpr std::size_t kMaxClients = 64;
  /// Letters that wait for a client that does not read; then it is sent away.
  static constexpr std::size_t kMaxWaiting = 256;

  /// Makes the socket with mode 0600. kExists when another agent listens there; a socket that was
  /// left behind is taken away. `files` reads the key files, now and at each SIGHUP.
  static Result<AgentServer> open(const std::filesystem::path& path, agent::Policy policy,
                                  std::function<Result<agent::Files>()> files);
  ~AgentServer();
  AgentServer(AgentServer&& other) noexcept;
  AgentServer& operator=(AgentServer&&) = delete;

  /// Until SIGINT or SIGTERM, which have to be blocked in all threads, as SIGHUP.
  Result<> run();
  /// Told about what happens: one line each, no secrets.
  void on_note(std::function<void(const std::string&)> note) { note_ = std::move(note); }

 private:
  struct Connection {
    int socket = -1;
    agent::Inbox inbox;
    std::deque<Secret> waiting;
  };
  AgentServer(int listener, std::filesystem::path path, agent::Epochs epochs,
              std::function<Result<agent::Files>()> files);
  void accept();
  bool read(agent::Client client, Connection& connection);
  static bool write(Connection& connection);
  void deliver(agent::Epochs::Letters letters);
  void end(agent::Client client);
  void reload();
  void note(const std::string& text) const {
    if (note_) note_(text);
  }

  int listener_;
  std::filesystem::path path_;
  agent::Epochs epochs_;
  std::function<Result<agent::Files>()> files_;
  std::function<void(const std::string&)> note_;
  std::map<agent::Client, Connection> connections_;
  agent::Client last_ = 0;
};

/// Tells the agent at `path` to begin new epochs.
Result<> command_rotation(const std::filesystem::path& path);

}  // namespace sotto::cli
