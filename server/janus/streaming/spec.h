// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// What a `create` request or the configuration says about a mountpoint.
#pragma once

#include "server/janus/json.h"
#include "server/janus/streaming/rtp_source.h"

#include <cstdint>
#include <string>
#include <vector>

namespace sotto::server {
struct MountpointConfig;
}

namespace sotto::server::janus {

/// The plugin's own error numbers.
enum class StreamingCode : int {
  kNoMessage = 450,
  kInvalidJson = 451,
  kInvalidRequest = 452,
  kMissingElement = 453,
  kInvalidElement = 454,
  kNoSuchMountpoint = 455,
  kCantCreate = 456,
  kUnauthorized = 457,
  kCantSwitch = 458,
  kCantRecord = 459,
  kInvalidState = 460,
  kUnknown = 470,
};

struct StreamingError {
  StreamingCode code = StreamingCode::kUnknown;
  std::string text;
};
template <class T>
using StreamingResult = tl::expected<T, StreamingError>;

inline tl::unexpected<StreamingError> refuse(StreamingCode code, std::string text) {
  return tl::unexpected<StreamingError>(StreamingError{code, std::move(text)});
}

inline constexpr std::size_t kMaxMountpointMedia = 16;

struct MountpointSpec {
  std::uint64_t id = 0;  ///< 0: to be drawn.
  std::string name;      ///< The registry's id; empty: made from `id`.
  std::string type;      ///< rtp, rtsp, live, ondemand
  std::string description;
  std::string metadata;
  std::string secret;  ///< Needed to edit, destroy, enable, …; empty: nobody needs one.
  std::string pin;     ///< Needed to watch.
  bool is_private = false;
  bool permanent = false;
  std::vector<RtpMedia> media;  ///< rtp
  std::string file;             ///< live, ondemand
  std::string url;              ///< rtsp
  std::string user;
  std::string password;
};

/// Of the body of a `create` request; media in the new form (`media` array) or the old one
/// (`audioport`, `videoport` …).
StreamingResult<MountpointSpec> parse_create(const Json& body);
StreamingResult<MountpointSpec> parse_config(const MountpointConfig& config);

}  // namespace sotto::server::janus
