// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// Which STUN and TURN servers a peer may use, and what our own peer connections are set to.
#pragma once

#include "core/rtc/peer.h"
#include "server/config/config.h"

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

namespace sotto::server {

/// The configured servers; TURN with credentials that end after `turn_life` (the time-limited
/// scheme coturn calls use-auth-secret: name = expiry:subject, password = base64 HMAC-SHA1 of it).
std::vector<rtc::IceServer> ice_servers_for(const RtcConfig& config, std::string_view subject,
                                            std::chrono::system_clock::time_point now);

/// One value of an HTTP Link header (RFC 9725, 4.6).
std::string link_header(const rtc::IceServer& server);

/// What a peer connection of this server is given.
rtc::PeerOptions peer_options(const RtcConfig& config, std::string label);

}  // namespace sotto::server
