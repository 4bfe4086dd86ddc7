// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "server/whip/direct.h"

#include "core/base/random.h"
#include "core/rtc/sdp/sdp.h"
#include "server/base/log.h"
#include "server/config/config.h"
#include "server/metrics/metrics.h"
#include "server/signaling/ice_servers.h"

#include <algorithm>
#include <utility>

namespace sotto::server {

namespace direct = rtc::direct;
using std::chrono::steady_clock;

namespace {
constexpr int kPolicyViolation = 1008;  // RFC 6455, 7.4.1
constexpr std::chrono::minutes kFaultWindow{1};
}  // namespace

class DirectPublisher::Viewing : public rtc::DirectViewing {
 public:
  Viewing(std::weak_ptr<DirectPublisher> publisher, std::string name)
      : publisher_(std::move(publisher)), name_(std::move(name)) {}
  ~Viewing() override {
    if (const auto publisher = publisher_.lock()) publisher->leave(name_);
  }
  Viewing(const Viewing&) = delete;
  Viewing& operator=(const Viewing&) = delete;

  Result<> add_candidate(const rtc::Candidate& candidate) override {
    const auto publisher = publisher_.lock();
    return publisher ? publisher->add_candidate(name_, candidate)
                     : fail(ErrorCode::kNotFound, "the publisher is gone");
  }

 private:
  std::weak_ptr<DirectPublisher> publisher_;
  std::string name_;
};

DirectPublisher::DirectPublisher(Context& context, std::string id,
                                 std::shared_ptr<WebSocket> socket)
    : context_(context), id_(std::move(id)), socket_(std::move(socket)) {}

DirectPublisher::~DirectPublisher() = default;

void DirectPublisher::start(std::function<void()> gone) {
  gone_ = std::move(gone);
  const std::weak_ptr<DirectPublisher> weak = weak_from_this();
  socket_->on_message([weak](std::string_view text) {
    if (const auto self = weak.lock()) self->received(text);
  });
  socket_->on_close([weak] {
    if (const auto self = weak.lock()) self->closed();
  });
}

void DirectPublisher::close(int code, const std::string& reason) {
  socket_->close(code, reason);
  closed();
}

void DirectPublisher::closed() {
  if (!std::exchange(open_, false)) return;
  while (!sessions_.empty()) {
    settle(std::string(sessions_.begin()->first),
           {ErrorCode::kUnavailable, "the publisher is gone"});
  }
  if (const auto gone = std::exchange(gone_, nullptr)) gone();
}

void DirectPublisher::send(const direct::Message& message) {
  if (open_) socket_->send(direct::print(message));
}

std::size_t DirectPublisher::viewers() const {
  return static_cast<std::size_t>(std::count_if(
      sessions_.begin(), sessions_.end(), [](const auto& named) { return named.second.answered; }));
}

std::unique_ptr<rtc::DirectViewing> DirectPublisher::ask(const std::string& offer,
                                                         rtc::DirectCallbacks callbacks) {
  const auto name = random_name();
  Result<> possible;
  const auto parsed = rtc::sdp::parse(offer);
  if (!parsed) {
    possible = tl::unexpected<Error>(parsed.error());
  } else if (!open_) {
    possible = fail(ErrorCode::kUnavailable, "the publisher is gone");
  } else if (offer.size() > direct::kMaxSdpBytes) {
    possible = fail(ErrorCode::kTooLarge, "the offer is too long to be passed on");
  } else if (steady_clock::now() < distrusted_until_) {
    possible = fail(ErrorCode::kTimeout, "the publisher did not answer the last time");
  } else if (sessions_.size() >= kMaxSessions || sessions_.size() - viewers() >= kMaxAsked) {
    possible = fail(ErrorCode::kUnavailable, "the publisher is asked too much");
  }
  auto viewing = std::make_unique<Viewing>(weak_from_this(), name);
  if (!possible) {
    context_.loop.post([answered = std::move(callbacks.answered), error = possible.error()] {
      answered(tl::unexpected<Error>(error));
    });
    return viewing;
  }
  Session& session = sessions_[name];
  session.callbacks = std::move(callbacks);
  session.sections = parsed->media.size();
  session.deadline = context_.loop.after(kAnswerDeadline, [weak = weak_from_this(), name] {
    const auto self = weak.lock();
    if (!self) return;
    self->distrusted_until_ = steady_clock::now() + kDistrust;
    self->remember(name);
    self->send(direct::End{name, "too late"});
    self->settle(name, {ErrorCode::kTimeout, "the publisher did not answer"});
  });
  auto servers = ice_servers_for(context_.config.rtc, subject(), std::chrono::system_clock::now());
  if (servers.size() > direct::kMaxIceServers) servers.resize(direct::kMaxIceServers);
  send(direct::Offer{name, offer, std::move(servers)});
  return viewing;
}

void DirectPublisher::want_relay(bool wanted) {
  if (std::exchange(relay_wanted_, wanted) == wanted) return;
  log::debug("whip", wanted ? "relay asked of a direct publisher" : "no relay needed",
             {{"id", id_}});
  send(direct::Relay{wanted});
}

Result<> DirectPublisher::add_candidate(const std::string& name, const rtc::Candidate& candidate) {
  const auto found = sessions_.find(name);
  if (found == sessions_.end()) return fail(ErrorCode::kNotFound, "the viewer is gone");
  const bool fits = candidate.candidate.size() <= direct::kMaxCandidateBytes &&
                    candidate.mid.size() <= direct::kMaxNameBytes;
  if (!fits || ++found->second.candidates > direct::kMaxCandidates) {
    return fail(ErrorCode::kTooLarge, "too many candidates, or too long a one");
  }
  send(direct::Trickle{name, candidate});
  return {};
}

void DirectPublisher::leave(const std::string& name) {
  if (sessions_.erase(name) == 0) return;
  remember(name);
  send(direct::End{name, "the viewer left"});
}

void DirectPublisher::remember(const std::string& name) {
  ended_.push_back(name);
  if (ended_.size() > kMaxAsked) ended_.pop_front();
}

void DirectPublisher::settle(const std::string& name, const Error& error) {
  const auto found = sessions_.find(name);
  if (found == sessions_.end()) return;
  auto node = sessions_.extract(found);
  Session& session = node.mapped();
  if (session.answered) {
    session.callbacks.ended(error.message);
  } else {
    session.callbacks.answered(tl::unexpected<Error>(error));
  }
  // A deadline that has just struck is destroyed with its session: not under its own feet.
  context_.loop.post([held = std::make_shared<Sessions::node_type>(std::move(node))] {});
}

// --- what the publisher says -------------------------------------------------------------------

void DirectPublisher::received(std::string_view text) {
  const auto alive = shared_from_this();
  const auto message = direct::parse(text);
  if (!message) {
    fault("message", {}, message.error());
    return;
  }
  std::visit([this](const auto& known) { take(known); }, *message);
}

void DirectPublisher::fault(const char* why, const std::string& session, const Error& error) {
  context_.metrics.count("sotto_direct_faults_total",
                         "Messages of direct publishers that made no sense.", {{"why", why}});
  log::warning("whip", "a direct publisher makes no sense",
               {{"id", id_}, {"why", why}, {"error", error.message}});
  const auto now = steady_clock::now();
  if (now - faults_since_ > kFaultWindow) {
    faults_since_ = now;
    faults_ = 0;
  }
  send(direct::failure(session, error));
  if (++faults_ > kMaxFaults) close(kPolicyViolation, "too many messages that make no sense");
}

DirectPublisher::Session* DirectPublisher::find(const std::string& name) {
  const auto found = sessions_.find(name);
  if (found != sessions_.end()) return &found->second;
  if (std::find(ended_.begin(), ended_.end(), name) == ended_.end()) {
    fault("session", name, {ErrorCode::kNotFound, "there is no such session"});
  }
  return nullptr;
}

Result<> DirectPublisher::check_answer(const Session& session, const std::string& sdp) const {
  const auto answer = rtc::sdp::parse(sdp);
  if (!answer) return tl::unexpected<Error>(answer.error());
  if (answer->media.size() != session.sections || answer->media.empty()) {
    return fail(ErrorCode::kInvalid, "the answer has not the sections of the offer");
  }
  // The viewer's browser compares it with the certificate; an answer without one is none.
  const auto used = std::find_if(answer->media.begin(), answer->media.end(),
                                 [](const auto& media) { return !media.rejected(); });
  if (used == answer->media.end()) {
    return fail(ErrorCode::kUnsupported, "the answer rejects every section");
  }
  const auto index = static_cast<std::size_t>(used - answer->media.begin());
  if (const auto print = answer->fingerprint(index); !print) {
    return tl::unexpected<Error>(print.error());
  }
  return {};
}

void DirectPublisher::take(const direct::Answer& answer) {
  Session* session = find(answer.session);
  if (session == nullptr) return;
  if (session->answered) {
    fault("twice", answer.session, {ErrorCode::kConflict, "this offer was answered before"});
    return;
  }
  distrusted_until_ = {};
  if (const auto good = check_answer(*session, answer.sdp); !good) {
    remember(answer.session);
    settle(answer.session, good.error());
    send(direct::End{answer.session, "the answer is no good"});
    fault("answer", answer.session, good.error());
    return;
  }
  session->answered = true;
  session->deadline.cancel();
  const auto answered = std::exchange(session->callbacks.answered, nullptr);
  answered(answer.sdp);
}

void DirectPublisher::take(const direct::Connected& connected) {
  Session* session = find(connected.session);
  if (session == nullptr) return;
  if (!session->answered || std::exchange(session->connected, true)) {
    fault("connected", connected.session, {ErrorCode::kConflict, "connected without an answer"});
    return;
  }
  const auto told = session->callbacks.connected;
  told();
}

void DirectPublisher::take(const direct::End& end) {
  if (find(end.session) == nullptr) return;
  settle(end.session, {ErrorCode::kUnavailable, end.reason});
}

void DirectPublisher::take(const direct::Failure& failed) {
  if (failed.session.empty()) {
    log::warning("whip", "a direct publisher did not understand",
                 {{"id", id_}, {"code", failed.code}, {"message", failed.message}});
    return;
  }
  if (find(failed.session) == nullptr) return;
  distrusted_until_ = {};
  settle(failed.session, {ErrorCode::kUnavailable, failed.code + ": " + failed.message});
}

template <class T>
void DirectPublisher::take(const T& message) {
  (void)message;
  fault("direction", {}, {ErrorCode::kInvalid, "this message goes to publishers"});
}

}  // namespace sotto::server
