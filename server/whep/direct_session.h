// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// A WHEP session whose media goes from the publisher straight to the viewer.
#pragma once

#include "core/rtc/direct/answerer.h"
#include "server/base/context.h"
#include "server/signaling/http_sessions.h"

#include <chrono>
#include <functional>
#include <memory>
#include <string>

namespace sotto::server {

class DirectSession : public HttpSession, public std::enable_shared_from_this<DirectSession> {
 public:
  /// Whoever goes without a connection sooner than this may have changed his mind.
  static constexpr std::chrono::seconds kFairChance{5};

  /// Asks the publisher; `opened` gets his answer, or why the viewer has to be relayed. `unreached`
  /// is called when publisher and viewer, answered, do not find to each other.
  static void open(Context& context, const HttpSessions::Opening& opening,
                   rtc::DirectAnswerer& answerer, HttpSessions::Opened opened,
                   std::function<void()> unreached);

  DirectSession(Context& context, const HttpSessions::Opening& opening);
  ~DirectSession() override;
  DirectSession(const DirectSession&) = delete;
  DirectSession& operator=(const DirectSession&) = delete;

  Result<> add_candidate(const rtc::Candidate& candidate) override;
  void close() override;

 private:
  void connected();
  void over(const std::string& reason);

  Context& context_;
  const std::string id_;
  const std::string subject_;
  const rtc::MonotonicTime asked_;
  std::function<void()> ended_;
  std::function<void()> unreached_;  ///< From the answer to the connection.
  std::unique_ptr<rtc::DirectViewing> viewing_;
  bool connected_ = false;
};

}  // namespace sotto::server
