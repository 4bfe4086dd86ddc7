// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// The properties that whip-sink and whep-src share, installed and kept in one place.
#pragma once

#include "elements/webrtc/http_peer.h"

#include <gst/gst.h>

#include <mutex>
#include <string>

namespace sotto {

class HttpProperties {
 public:
  enum Id : guint {
    kLocation = 1,
    kAuthToken,
    kAuthTokenFile,
    kStunServer,
    kTurnServer,
    kTimeout,
    kTlsValidation,
    kTlsCaFile,
    kStats,
    kFirstOwn,  ///< An element's own properties begin here.
  };

  static void install(GObjectClass* object_class);
  /// False when the id is not one of these. kStats is the element's to answer.
  bool set(guint id, const GValue* value);
  bool get(guint id, GValue* value) const;

  /// What they amount to; reads the token file. kInvalid and kNotFound name the property at fault.
  Result<HttpPeerSettings> resolve() const;

 private:
  mutable std::mutex mutex_;  // Protects everything below.
  std::string location_;
  std::string auth_token_;
  std::string auth_token_file_;
  std::string stun_server_;
  std::string turn_server_;
  std::string tls_ca_file_;
  guint timeout_s_ = 10;
  bool tls_validation_ = true;
};

/// An access token from a file, without the white space at its end. kNotFound, kInvalid when empty.
Result<std::string> read_token(const std::string& path);

}  // namespace sotto
