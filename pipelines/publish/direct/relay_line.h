// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// One more viewer of the same tracks: the server, by WHIP. It serves those whom the publisher
// cannot, and is there only while it is wanted.
//
//   off ──want(true)──► OPTIONS, offer, POST ──► up ──want(false)──► DELETE ──► off
//             ▲                  └─ failure, loss ─┐
//             └───── after a pause ◄───────────────┘
#pragma once

#include "core/rtc/source.h"
#include "elements/glue/main_context.h"
#include "elements/webrtc/http_client.h"
#include "pipelines/camera/backoff.h"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace sotto {

/// Main context only; HTTP is spoken on a thread of its own.
class RelayLine {
 public:
  using Tracks = std::function<std::vector<rtc::FeedTrack>()>;
  using Settings = std::function<Result<HttpSettings>()>;

  /// `tracks` and `settings` are asked at each attempt; `note` is for people.
  RelayLine(MainContext& main, Settings settings, Tracks tracks,
            std::function<void(const std::string&)> note);
  ~RelayLine();
  RelayLine(const RelayLine&) = delete;
  RelayLine& operator=(const RelayLine&) = delete;

  void want(bool wanted);
  /// The tracks are others now: begins anew if it is up.
  void restart();
  bool up() const;
  std::uint64_t bytes() const;  ///< RTP sent, ever.

 private:
  class Attempt;
  void attempt();
  void failed(const Error& error);
  void end_attempt();

  MainContext& main_;
  const Settings settings_;
  const Tracks tracks_;
  const std::function<void(const std::string&)> note_;
  camera::Backoff backoff_;
  MainContext::Timer retry_;
  std::shared_ptr<Attempt> attempt_;
  bool wanted_ = false;
  std::uint64_t past_bytes_ = 0;
};

}  // namespace sotto
