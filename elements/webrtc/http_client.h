// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// The HTTP half of a WHIP or WHEP client: one resource, made by POST and ended by DELETE.
#pragma once

#include "core/base/error.h"
#include "core/rtc/peer.h"

#include <gio/gio.h>

#include <memory>
#include <string>
#include <vector>

namespace sotto {

struct HttpSettings {
  std::string location;  ///< The WHIP or WHEP endpoint, https: or http:.
  std::string token;     ///< Sent as Authorization: Bearer; empty for none.
  bool validate_tls = true;
  std::string ca_file;  ///< PEM; empty for the system's authorities.
  unsigned timeout_s = 10;
};

/// Blocking: belongs to a worker thread. Only cancel() may come from another one.
class HttpClient {
 public:
  static constexpr std::size_t kMaxAnswerBytes = 256U << 10U;
  static constexpr int kMaxRedirects = 5;

  explicit HttpClient(HttpSettings settings);
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  /// STUN and TURN servers the endpoint names (RFC 9725, 4.6); empty when it names none.
  std::vector<rtc::IceServer> ice_servers();
  /// The SDP answer. The session's URL is kept for remove(). Errors say what to do.
  Result<std::string> post(const std::string& offer);
  /// Ends the session; within two seconds or not at all.
  void remove();
  /// Makes a call under way, and all later ones but remove(), fail.
  void cancel();

  const std::string& session_url() const { return session_url_; }

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
  std::string session_url_;
};

/// The ICE servers of Link header fields (RFC 8288), at most eight.
std::vector<rtc::IceServer> parse_ice_links(const std::string& links);

}  // namespace sotto
