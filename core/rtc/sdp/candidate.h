// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// ICE candidates as they come from outside: read strictly, and only those we can use.
#pragma once

#include "core/base/error.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace sotto::rtc::sdp {

/// A candidate of RFC 8839, 5.1, as far as we act on it.
struct IceCandidate {
  std::string foundation;
  int component = 1;  ///< 1 is RTP, and with rtcp-mux the only one.
  bool udp = true;    ///< Else TCP (RFC 6544).
  std::uint32_t priority = 0;
  std::string address;  ///< As written: IPv4, IPv6, or a name such as an mDNS one.
  std::uint16_t port = 0;
  std::string type;  ///< host, srflx, prflx, relay
};

/// "candidate:…", also with "a=" before it (some clients send it so).
Result<IceCandidate> parse_candidate(std::string_view text);

/// Why a candidate of the other side is not handed to the ICE agent; empty when it is usable.
/// Names are never resolved here: webrtcbin would block up to five seconds on an mDNS one, and the
/// viewer is found by its own checks anyway (peer-reflexive candidates).
std::string_view unusable(const IceCandidate& candidate);

/// True for fe80::/10, which means nothing without the other side's interface name.
bool is_link_local_ipv6(std::string_view address);

}  // namespace sotto::rtc::sdp
