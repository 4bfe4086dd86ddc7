// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "server/whep/direct_session.h"

#include "server/base/events.h"
#include "server/base/log.h"
#include "server/metrics/metrics.h"

#include <utility>

namespace sotto::server {

void DirectSession::open(Context& context, const HttpSessions::Opening& opening,
                         rtc::DirectAnswerer& answerer, HttpSessions::Opened opened,
                         std::function<void()> unreached) {
  auto session = std::make_shared<DirectSession>(context, opening);
  const std::weak_ptr<DirectSession> weak = session;
  rtc::DirectCallbacks callbacks;
  // Holds the session until the publisher answers; HttpSessions does from then on.
  callbacks.answered = [session, opened = std::move(opened), unreached = std::move(unreached),
                        &context](Result<std::string> answer) {
    if (answer) {
      session->unreached_ = unreached;
      opened(std::move(answer), session);
      return;
    }
    const auto why = std::string(name_of(answer.error().code));
    context.metrics.count("sotto_direct_handovers_total",
                          "Viewers whom a direct publisher did not take.", {{"why", why}});
    log::info("whep", "viewer handed to the relay",
              {{"id", session->id_}, {"why", answer.error().message}});
    session->close();
    opened(std::move(answer), nullptr);
  };
  callbacks.connected = [weak] {
    if (const auto self = weak.lock()) self->connected();
  };
  callbacks.ended = [weak](const std::string& reason) {
    if (const auto self = weak.lock()) self->over(reason);
  };
  session->viewing_ = answerer.ask(opening.offer, std::move(callbacks));
}

DirectSession::DirectSession(Context& context, const HttpSessions::Opening& opening)
    : context_(context),
      id_(opening.mount),
      subject_(opening.exchange->request().principal.subject),
      asked_(rtc::monotonic_now()),
      ended_(opening.ended) {}

DirectSession::~DirectSession() { close(); }

Result<> DirectSession::add_candidate(const rtc::Candidate& candidate) {
  return viewing_ ? viewing_->add_candidate(candidate)
                  : fail(ErrorCode::kNotFound, "the session is over");
}

void DirectSession::close() {
  ended_ = nullptr;
  if (rtc::monotonic_now() - asked_ < kFairChance) unreached_ = nullptr;
  over("closed");
}

void DirectSession::connected() {
  connected_ = true;
  unreached_ = nullptr;
  const std::chrono::duration<double> took = rtc::monotonic_now() - asked_;
  context_.metrics.observe("sotto_viewer_connect_seconds",
                           "From a viewer's request to its connected peer.", {{"kind", "direct"}},
                           took.count());
  context_.events.publish("viewer.joined", {{"id", id_}, {"subject", subject_}, {"direct", true}});
}

void DirectSession::over(const std::string& reason) {
  const auto viewing = std::exchange(viewing_, nullptr);
  if (std::exchange(connected_, false)) {
    context_.events.publish("viewer.left", {{"id", id_}, {"reason", reason}, {"direct", true}});
  }
  if (const auto unreached = std::exchange(unreached_, nullptr)) {
    context_.metrics.count("sotto_direct_unreached_total",
                           "Viewers whom a direct publisher answered and did not reach.", {});
    unreached();
  }
  if (viewing) log::info("whep", "direct viewer gone", {{"id", id_}, {"reason", reason}});
  if (const auto ended = std::exchange(ended_, nullptr)) ended();
}

}  // namespace sotto::server
