// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "pipelines/publish/direct/direct_line.h"

#include "elements/webrtc/http_peer.h"
#include "elements/webrtc/http_properties.h"

#include <utility>

namespace sotto {

namespace direct = rtc::direct;

namespace {

camera::Patience signal_patience() {
  camera::Patience patience;
  patience.first_retry = std::chrono::milliseconds(500);
  patience.quick_retry = std::chrono::milliseconds(4'000);
  patience.slowest_retry = std::chrono::milliseconds(30'000);
  return patience;
}

bool is_hopeless(ErrorCode code) {
  return code == ErrorCode::kInvalid || code == ErrorCode::kNotFound ||
         code == ErrorCode::kUnauthenticated || code == ErrorCode::kConflict;
}

}  // namespace

DirectLine::DirectLine(MainContext& main, const PublishOptions& options, const LiveTracks& tracks,
                       Callbacks callbacks)
    : main_(main),
      options_(options),
      tracks_(tracks),
      callbacks_(std::move(callbacks)),
      audience_(main, options.max_viewers, is_loopback_url(options.location),
                {[this](const std::string& session) { send(direct::Connected{session}); },
                 [this](const std::string& session, const std::string& reason) {
                   send(direct::End{session, reason});
                 }}),
      relay_(
          main, [this] { return http_settings(); }, [this] { return tracks_.tracks(); },
          callbacks_.note),
      backoff_(signal_patience()) {}

DirectLine::~DirectLine() {
  audience_.clear("the publisher ends");
  if (client_) client_->close();
}

void DirectLine::start() {
  if (std::exchange(started_, true)) return;
  connect();
}

Result<HttpSettings> DirectLine::http_settings() const {
  HttpSettings settings;
  settings.location = options_.location;
  settings.ca_file = options_.ca_file;
  settings.validate_tls = !options_.insecure;
  if (options_.token_path.empty()) return settings;
  auto token = read_token(options_.token_path);
  if (!token) return tl::unexpected<Error>(token.error());
  settings.token = std::move(*token);
  return settings;
}

void DirectLine::connect() {
  connection_faults_ = 0;
  auto http = http_settings();
  auto address = signal_address(options_.location);
  if (http && !address) http = tl::unexpected<Error>(address.error());
  if (!http) {
    // Never from inside start(): the caller is not ready for it.
    retry_ =
        main_.after(std::chrono::milliseconds(0), [this, error = http.error()] { lost(error); });
    return;
  }
  client_ = std::make_unique<SignalClient>(
      SignalSettings{*address, http->token, http->ca_file, http->validate_tls},
      // The server's first message tells that it takes us, not the connection.
      SignalClient::Callbacks{[] {}, [this](std::string_view text) { received(text); },
                              [this](const Error& error) { lost(error); }});
  client_->start();
}

void DirectLine::lost(const Error& error) {
  open_ = false;
  // It is telling us so right now, or we are in one of its messages.
  main_.post([client = std::shared_ptr<SignalClient>(std::move(client_))] {});
  // Another publisher in our place may go again, but before we ever were there a person should
  // know.
  const bool hopeless = is_hopeless(error.code) && !was_open_;
  if (hopeless) {
    callbacks_.lost(error, nullptr);
    return;
  }
  if (error.code == ErrorCode::kConflict) backoff_.be_slow();
  const auto pause = backoff_.next();
  retry_ = main_.after(pause, [this] { connect(); });
  callbacks_.lost(error, &pause);
}

void DirectLine::send(const direct::Message& message) {
  if (client_) client_->send(direct::print(message));
}

void DirectLine::tracks_changed() {
  audience_.clear("the input changed");
  relay_.restart();
}

DirectStats DirectLine::stats() const {
  DirectStats stats;
  stats.audience = audience_.stats();
  stats.relaying = relay_.up();
  stats.relay_bytes = relay_.bytes();
  stats.faults = faults_;
  return stats;
}

// --- what the server says ----------------------------------------------------------------------

void DirectLine::received(std::string_view text) {
  const auto message = direct::parse(text);
  if (!message) {
    fault({}, message.error());
    return;
  }
  std::visit([this](const auto& known) { take(known); }, *message);
}

void DirectLine::fault(const std::string& session, const Error& error) {
  ++faults_;
  if (++connection_faults_ > kMaxFaults) {
    if (client_) client_->close();
    lost({ErrorCode::kUnavailable, "the server makes no sense: " + error.message});
    return;
  }
  send(direct::failure(session, error));
}

void DirectLine::take(const direct::Offer& offer) {
  audience_.add(offer.session, offer.sdp, offer.ice_servers, tracks_.tracks(),
                [this, session = offer.session](const Result<std::string>& answer) {
                  if (answer) {
                    send(direct::Answer{session, *answer});
                  } else {
                    send(direct::failure(session, answer.error()));
                  }
                });
}

void DirectLine::take(const direct::Trickle& trickle) {
  const auto added = audience_.add_candidate(trickle.session, trickle.candidate);
  // One that we cannot use is no fault, and its viewer may have gone a moment ago.
  (void)added;
}

void DirectLine::take(const direct::End& end) { (void)audience_.remove(end.session); }

void DirectLine::take(const direct::Relay& relay) {
  relay_.want(relay.wanted);
  if (std::exchange(open_, true)) return;
  was_open_ = true;
  backoff_.reset();
  callbacks_.open();
}

void DirectLine::take(const direct::Failure& failed) {
  callbacks_.note("the server says: " + failed.message);
}

template <class T>
void DirectLine::take(const T& message) {
  (void)message;
  fault({}, {ErrorCode::kInvalid, "this message goes to the server"});
}

}  // namespace sotto
