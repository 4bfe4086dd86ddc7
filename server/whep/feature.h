// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// WHEP: watching any source of the registry from a browser or any other WHEP player.
#pragma once

#include "core/rtc/source.h"
#include "server/base/context.h"
#include "server/signaling/http_sessions.h"
#include "server/whep/unreached.h"

#include <memory>

namespace sotto::server {

/// POST /whep/{id}[?small=1] with scope stream:{id}:view; {id} is any source's.
class WhepFeature : public Feature {
 public:
  explicit WhepFeature(Context& context);
  ~WhepFeature() override;
  void stop() override;

 private:
  class Viewing;
  void open(const HttpSessions::Opening& opening, const HttpSessions::Opened& opened);
  /// The media goes through us.
  void relay(const HttpSessions::Opening& opening, const HttpSessions::Opened& opened,
             rtc::Source& source, const rtc::Wish& wish);

  Context& context_;
  Unreached unreached_;
  std::unique_ptr<HttpSessions> sessions_;
  /// Sources may answer after we are gone.
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace sotto::server
