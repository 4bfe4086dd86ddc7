// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// A WHEP session whose media goes from the publisher straight to the viewer.
#pragma once

#include "core/rtc/direct/answerer.h"
#include "server/base/context.h"
#include "server/signaling/http_sessions.h"

#include <functional>
#include <memory>
#include <string>

namespace sotto::server {

class DirectSession : public HttpSession, public std::enable_shared_from_this<DirectSession> {
 public:
  /// Asks the publisher; `opened` gets his answer, or why the viewer has to be relayed.
  static void open(Context& context, const HttpSessions::Opening& opening,
                   rtc::DirectAnswerer& answerer, HttpSessions::Opened opened);

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
  std::unique_ptr<rtc::DirectViewing> viewing_;
  bool connected_ = false;
};

}  // namespace sotto::server
