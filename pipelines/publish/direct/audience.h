// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// The viewers a publisher serves himself: a peer connection and a Viewer each.
#pragma once

#include "core/rtc/peer.h"
#include "core/rtc/source.h"
#include "elements/glue/main_context.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace sotto {

/// How the viewers fare, all together.
struct AudienceStats {
  std::size_t viewers = 0;    ///< Connected.
  std::uint64_t served = 0;   ///< Ever connected.
  std::uint64_t refused = 0;  ///< Because there were as many as may be.
  std::uint64_t bytes = 0;    ///< RTP sent, ever; before encryption.
  std::uint64_t dropped_frames = 0;
  /// From a frame's arrival in the fan-out to its last packet in the viewer's socket; the viewer
  /// that fares worst.
  double delay_p50_ms = 0;
  double delay_p99_ms = 0;
  double round_trip_ms = 0;  ///< The longest.
};

/// Main context only.
class Audience {
 public:
  struct Callbacks {
    std::function<void(const std::string& session)> connected;
    /// Of a viewer whose offer was answered.
    std::function<void(const std::string& session, const std::string& reason)> ended;
  };

  Audience(MainContext& main, std::size_t limit, bool loopback, Callbacks callbacks);
  ~Audience();
  Audience(const Audience&) = delete;
  Audience& operator=(const Audience&) = delete;

  /// `answered` is called once. kUnavailable: there are as many as may be; kExists: the session is
  /// known.
  void add(const std::string& session, const std::string& offer,
           std::vector<rtc::IceServer> ice_servers, std::vector<rtc::FeedTrack> tracks,
           std::function<void(Result<std::string>)> answered);
  Result<> add_candidate(const std::string& session, const rtc::Candidate& candidate);
  /// False when there is no such session. Its `ended` is not called.
  bool remove(const std::string& session);
  /// All of them; `ended` is called for each.
  void clear(const std::string& reason);

  AudienceStats stats() const;

 private:
  class Member;
  void drop(const std::string& session, const std::string& reason);
  void forget(const std::string& session);

  MainContext& main_;
  const std::size_t limit_;
  const bool loopback_;
  const Callbacks callbacks_;
  std::map<std::string, std::shared_ptr<Member>> members_;
  AudienceStats past_;  ///< Of those who left, and the counters.
  std::shared_ptr<Audience*> self_;
};

}  // namespace sotto
