// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// What the server and a publisher who answers viewers himself say to each other (docs/api.md).
//
// Each message is one JSON object in one text message of a WebSocket, told apart by "type". Members
// nobody knows are ignored, so that either side may grow.
#pragma once

#include "core/base/error.h"
#include "core/rtc/peer.h"

#include <cstddef>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace sotto::rtc::direct {

/// The WebSocket's subprotocol.
inline constexpr const char* kProtocol = "sotto-direct-1";

/// A browser's offer is 5 to 20 KiB.
inline constexpr std::size_t kMaxSdpBytes = 64U << 10U;
/// The longest description with its line ends escaped, and the rest.
inline constexpr std::size_t kMaxMessageBytes = 160U << 10U;
inline constexpr std::size_t kMaxNameBytes = 64;  ///< Of sessions and mids.
inline constexpr std::size_t kMaxCandidateBytes = 1024;
inline constexpr std::size_t kMaxIceServers = 8;
inline constexpr std::size_t kMaxIceServerBytes = 1024;  ///< Each of its three members.
inline constexpr std::size_t kMaxTextBytes = 512;        ///< Longer ones are cut.
/// Of one viewer: a host with many interfaces has 30.
inline constexpr std::size_t kMaxCandidates = 64;

/// To the publisher: a viewer asks. He answers with Answer or Failure.
struct Offer {
  std::string session;  ///< Chosen by the server, never used twice.
  std::string sdp;
  std::vector<IceServer> ice_servers;
};
/// To the publisher.
struct Trickle {
  std::string session;
  Candidate candidate;
};
/// To the publisher: whether he is to send one stream to the server as well, by WHIP.
struct Relay {
  bool wanted = false;
};
/// To the server; complete, with all candidates.
struct Answer {
  std::string session;
  std::string sdp;
};
/// To the server: the viewer's connection is up.
struct Connected {
  std::string session;
};
/// Both ways: this viewer is over.
struct End {
  std::string session;
  std::string reason;  ///< For logs.
};
/// Both ways. About a session: it did not come to be. Without one: what the other side sent was no
/// good.
struct Failure {
  std::string session;
  std::string code;  ///< As name_of(ErrorCode).
  std::string message;
};

using Message = std::variant<Offer, Trickle, Relay, Answer, Connected, End, Failure>;

/// kParse for what is no JSON object, kUnsupported for an unknown type, kInvalid for a member that
/// is missing or of the wrong kind, kTooLarge beyond the limits above.
Result<Message> parse(std::string_view text);
/// Bytes that are not UTF-8 are replaced.
std::string print(const Message& message);

Failure failure(std::string session, const Error& error);

}  // namespace sotto::rtc::direct
