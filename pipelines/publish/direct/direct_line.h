// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// Publishing without the server in the media path: the server passes on what viewers ask, we
// answer, and media goes from here to them.
//
//   server ──WebSocket──► DirectLine ──offer, candidate, end──► Audience ──► viewers
//                             └───────────relay────────────────► RelayLine ─► server (WHIP)
//
// A lost WebSocket is opened again; viewers do not notice.
#pragma once

#include "core/rtc/direct/messages.h"
#include "pipelines/camera/backoff.h"
#include "pipelines/publish/direct/audience.h"
#include "pipelines/publish/direct/live_tracks.h"
#include "pipelines/publish/direct/relay_line.h"
#include "pipelines/publish/direct/signal_client.h"
#include "pipelines/publish/options.h"

#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace sotto {

struct DirectStats {
  AudienceStats audience;
  bool relaying = false;
  std::uint64_t relay_bytes = 0;
  std::uint64_t faults = 0;  ///< Messages of the server that made no sense.
};

/// Default main context only.
class DirectLine {
 public:
  /// Messages without sense from one connection before we open another.
  static constexpr unsigned kMaxFaults = 16;

  struct Callbacks {
    std::function<void()> open;
    /// The server cannot be asked now; `pause` until we try again. Null: another try would only
    /// meet the same, and there is none.
    std::function<void(const Error&, const std::chrono::milliseconds* pause)> lost;
    std::function<void(const std::string&)> note;
  };

  DirectLine(MainContext& main, const PublishOptions& options, const LiveTracks& tracks,
             Callbacks callbacks);
  ~DirectLine();
  DirectLine(const DirectLine&) = delete;
  DirectLine& operator=(const DirectLine&) = delete;

  /// Once there are tracks. Idempotent.
  void start();
  bool is_open() const { return open_; }
  /// The tracks are others now: viewers have to ask again.
  void tracks_changed();
  DirectStats stats() const;

 private:
  Result<HttpSettings> http_settings() const;
  void connect();
  void received(std::string_view text);
  void take(const rtc::direct::Offer& offer);
  void take(const rtc::direct::Trickle& trickle);
  void take(const rtc::direct::End& end);
  void take(const rtc::direct::Relay& relay);
  void take(const rtc::direct::Failure& failed);
  template <class T>
  void take(const T& message);  // What only we may say.
  void fault(const std::string& session, const Error& error);
  void lost(const Error& error);
  void send(const rtc::direct::Message& message);

  MainContext& main_;
  const PublishOptions options_;
  const LiveTracks& tracks_;
  const Callbacks callbacks_;
  Audience audience_;
  RelayLine relay_;
  camera::Backoff backoff_;
  std::unique_ptr<SignalClient> client_;
  MainContext::Timer retry_;
  bool started_ = false;
  bool open_ = false;
  bool was_open_ = false;
  unsigned connection_faults_ = 0;
  std::uint64_t faults_ = 0;
};

}  // namespace sotto
