// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
//
// An element's line to its key agent: a thread that connects, connects again when the agent went
// away, and hands on what the agent says. What the streaming thread calls returns at once, or
// within a bound that is named.
#pragma once

#include "core/agent/message.h"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <utility>

namespace sotto {

/// "unix:/run/user/1000/sotto-agent": the path; kInvalid for anything else.
Result<std::string> agent_path(const std::string& address);

class AgentClient {
 public:
  struct Handlers {
    /// From the client's thread, one after the other.
    std::function<void(agent::Message)> received;
    /// Whether there is an agent now, and if not why.
    std::function<void(bool connected, const std::string& why)> changed;
  };
  /// A key that nobody has, or an agent that says nothing, holds the stream up so long.
  static constexpr std::chrono::milliseconds kAnswerWithin{250};
  /// How long a start waits for the first key.
  static constexpr std::chrono::milliseconds kStartWithin{2000};

  AgentClient(std::string path, agent::Role role, Handlers handlers);
  ~AgentClient();
  AgentClient(const AgentClient&) = delete;
  AgentClient& operator=(const AgentClient&) = delete;

  /// Asks for the key of a KID and waits for the answer, kAnswerWithin at most; true when the key
  /// came. A KID is asked for once a second; after a question that stayed unanswered none waits for
  /// kSilence.
  bool ask(agent::Layer layer, std::uint64_t kid);
  /// A frame opened under this KID. Keys that never opened anything make room first; one that did
  /// is not asked for again once it was dropped, since its window against replay is gone.
  void proven(agent::Layer layer, std::uint64_t kid);
  void spent(agent::Layer layer, std::uint64_t kid);
  /// Until the first key to seal with, or any answer, was handed on; false when none came in time.
  bool wait_for_first(std::chrono::milliseconds within);

 private:
  using Clock = std::chrono::steady_clock;
  using Name = std::pair<agent::Layer, std::uint64_t>;
  static constexpr std::size_t kMaxOutgoing = 64;
  static constexpr std::size_t kMaxAsked = 64;
  static constexpr std::size_t kMaxRetired = 4096;
  static constexpr std::size_t kMaxHeld = 256;
  static constexpr std::chrono::seconds kAskAgain{1};
  static constexpr std::chrono::seconds kSilence{5};
  static constexpr std::chrono::milliseconds kFirstPause{50};
  static constexpr std::chrono::milliseconds kLongestPause{2000};

  struct Asked {
    Name name;
    Clock::time_point at;
    bool answered = false;
    bool got = false;
  };
  struct Held {
    Name name;
    bool proven = false;
  };
  Asked* find(const Name& name);
  std::optional<agent::Drop> hold(const Name& name);
  void let_go(const agent::Drop& drop);
  bool send(const agent::Message& message);
  void run();
  std::string connect();
  std::string talk();
  bool flush_outgoing();
  void hand_on(agent::Message message);
  bool pause(std::chrono::milliseconds time);
  void wake();

  const std::string path_;
  const agent::Role role_;
  const Handlers handlers_;
  int wake_ = -1;
  int socket_ = -1;  // Of the thread alone.
  std::atomic<bool> ending_{false};
  std::mutex mutex_;  // Protects everything below; no handler is called under it.
  std::condition_variable changed_;
  bool connected_ = false;
  bool first_ = false;
  std::deque<Secret> outgoing_;
  std::deque<Asked> asked_;
  std::deque<Held> held_;  // Oldest first.
  std::set<Name> retired_;
  Clock::time_point silent_until_{};
  std::thread thread_;
};

}  // namespace sotto
