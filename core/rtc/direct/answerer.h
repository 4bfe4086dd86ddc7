// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// A publisher who answers viewers himself: only descriptions and candidates pass through us.
#pragma once

#include "core/base/error.h"
#include "core/rtc/peer.h"

#include <functional>
#include <memory>
#include <string>

namespace sotto::rtc {

/// One viewer at the publisher's. Destroying it ends the viewer there; nothing is called after.
class DirectViewing {
 public:
  virtual ~DirectViewing() = default;
  /// kTooLarge after direct::kMaxCandidates of them.
  virtual Result<> add_candidate(const Candidate& candidate) = 0;
};

/// All calls and callbacks are on the main context. No callback comes before ask() has returned.
struct DirectCallbacks {
  /// Exactly once: the answer, or why the viewer has to be served in another way. kUnavailable: the
  /// publisher has as many viewers as he takes, or is gone; kTimeout: he did not answer in time.
  std::function<void(Result<std::string>)> answered;
  /// Media flows between the two, as the publisher says.
  std::function<void()> connected;
  /// After an answer: over, by the publisher's word or because he is gone.
  std::function<void(const std::string& reason)> ended;
};

class DirectAnswerer {
 public:
  virtual ~DirectAnswerer() = default;
  /// `offer` is a viewer's, already found to be SDP.
  virtual std::unique_ptr<DirectViewing> ask(const std::string& offer,
                                             DirectCallbacks callbacks) = 0;
};

}  // namespace sotto::rtc
