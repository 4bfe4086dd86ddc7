// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// WHIP: publishing from a browser, OBS, GStreamer or a Raspberry Pi (RFC 9725).
#pragma once

#include "server/base/context.h"
#include "server/signaling/http_sessions.h"
#include "server/whip/direct.h"
#include "server/whip/mount.h"

#include <map>
#include <memory>
#include <string>

namespace sotto::server {

/// POST /whip/{id} and the WebSocket /v1/publish/{id}/signal, both with scope stream:{id}:publish.
/// Mounts named in the configuration are always
/// there; any other id springs up with its publisher and goes with its last viewer.
class WhipFeature : public Feature {
 public:
  explicit WhipFeature(Context& context);
  ~WhipFeature() override;
  void stop() override;

 private:
  class Publication;
  struct Place {
    std::shared_ptr<Mount> mount;
    std::weak_ptr<Publication> publication;
    std::shared_ptr<DirectPublisher> direct;
    bool configured = false;
  };

  void configure_mounts();
  void open(const HttpSessions::Opening& opening, HttpSessions::Opened opened);
  Result<std::shared_ptr<Mount>> claim(const std::string& id, const std::string& subject);
  /// A publisher who answers viewers himself.
  void signal(const std::shared_ptr<WebSocket>& socket);
  /// The place of this id, made when it is new; kConflict when somebody else publishes to it.
  Result<Place*> place_for(const std::string& id, const std::string& subject);
  void refuse_clear(const std::string& id, const Error& error);
  /// A member that a sealed group removed publishes no longer.
  void end_publication(const std::string& id, const std::string& subject);
  void tidy();

  Context& context_;
  std::map<std::string, Place> places_;
  std::unique_ptr<HttpSessions> sessions_;
  MainContext::Timer tidy_timer_;
  std::shared_ptr<void> reload_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace sotto::server
