// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// A publisher who answers viewers himself, at the other end of his signaling WebSocket.
//
//   WHEP ──ask()──► DirectPublisher ──offer, candidate, end, relay──► publisher
//                        ▲  answered, connected, ended ◄──answer, connected, end, error──┘
//
// Whatever he does, a viewer's question is settled within kAnswerDeadline.
#pragma once

#include "core/rtc/direct/answerer.h"
#include "core/rtc/direct/messages.h"
#include "server/base/context.h"
#include "server/http/router.h"

#include <chrono>
#include <cstddef>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

namespace sotto::server {

/// Main context only.
class DirectPublisher : public rtc::DirectAnswerer,
                        public std::enable_shared_from_this<DirectPublisher> {
 public:
  /// Gathering takes webrtcbin two seconds at worst, and a small machine may be busy.
  static constexpr std::chrono::milliseconds kAnswerDeadline{10'000};
  /// One who let a question pass is not asked again for so long: viewers should not wait in vain.
  static constexpr std::chrono::milliseconds kDistrust{30'000};
  static constexpr std::size_t kMaxAsked = 32;      ///< Questions without an answer yet.
  static constexpr std::size_t kMaxSessions = 256;  ///< Whatever the publisher says he can.
  static constexpr unsigned kMaxFaults = 16;        ///< In a minute; more end the connection.

  DirectPublisher(Context& context, std::string id, std::shared_ptr<WebSocket> socket);
  ~DirectPublisher() override;
  DirectPublisher(const DirectPublisher&) = delete;
  DirectPublisher& operator=(const DirectPublisher&) = delete;

  /// `gone` is called once, after all viewers' ends were told.
  void start(std::function<void()> gone);
  void close(int code, const std::string& reason);

  const std::string& subject() const { return socket_->request().principal.subject; }
  /// Viewers he has answered.
  std::size_t viewers() const;
  MainContext& loop() { return context_.loop; }

  std::unique_ptr<rtc::DirectViewing> ask(const std::string& offer,
                                          rtc::DirectCallbacks callbacks) override;
  /// Whether he is to publish by WHIP as well. Told when it changes; the first time is his welcome.
  void want_relay(bool wanted);

 private:
  class Viewing;
  struct Session {
    rtc::DirectCallbacks callbacks;
    MainContext::Timer deadline;
    std::size_t sections = 0;  ///< Of the offer.
    std::size_t candidates = 0;
    bool answered = false;
    bool connected = false;
  };
  using Sessions = std::map<std::string, Session>;

  void received(std::string_view text);
  void take(const rtc::direct::Answer& answer);
  void take(const rtc::direct::Connected& connected);
  void take(const rtc::direct::End& end);
  void take(const rtc::direct::Failure& failed);
  template <class T>
  void take(const T& message);  // What only we may say.

  void closed();
  void send(const rtc::direct::Message& message);
  Result<> check_answer(const Session& session, const std::string& sdp) const;
  /// The session of this name; else it is a fault, unless we ended it ourselves a moment ago.
  Session* find(const std::string& name);
  void fault(const char* why, const std::string& session, const Error& error);
  /// Tells the viewer's side what came of its question, or that it is over.
  void settle(const std::string& name, const Error& error);
  Result<> add_candidate(const std::string& name, const rtc::Candidate& candidate);
  void leave(const std::string& name);
  void remember(const std::string& name);

  Context& context_;
  const std::string id_;
  std::shared_ptr<WebSocket> socket_;
  std::function<void()> gone_;
  Sessions sessions_;
  std::deque<std::string> ended_;  ///< By us: an answer may be under way still. At most kMaxAsked.
  std::optional<bool> relay_wanted_;  ///< What he was told.
  bool open_ = true;
  unsigned faults_ = 0;
  std::chrono::steady_clock::time_point faults_since_{};
  std::chrono::steady_clock::time_point distrusted_until_{};
};

}  // namespace sotto::server
