// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elements/webrtc/http_properties.h"

#include <algorithm>
#include <utility>

namespace sotto {
namespace {

constexpr guint kDefaultTimeout = 10;
constexpr guint kMaxTimeout = 120;
constexpr gsize kMaxTokenBytes = 8192;

constexpr auto kReady =
    static_cast<GParamFlags>(G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_READY);
constexpr auto kReadyWriteOnly =
    static_cast<GParamFlags>(G_PARAM_WRITABLE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_READY);

std::string string_of(const GValue* value) {
  const char* text = g_value_get_string(value);
  return text == nullptr ? std::string{} : std::string(text);
}

/// "turn://user:password@host:port?transport=udp" in parts; stun URLs have the first alone.
Result<rtc::IceServer> parse_server(const std::string& text, const char* property) {
  const auto bad = [&] {
    return fail(
        ErrorCode::kInvalid,
        std::string(property) + " is not like stun:host:port or turn:user:password@host:port");
  };
  const auto colon = text.find(':');
  if (colon == std::string::npos) return bad();
  auto rest = text.substr(colon + 1);
  if (rest.rfind("//", 0) == 0) rest.erase(0, 2);
  rtc::IceServer server;
  if (const auto at = rest.rfind('@'); at != std::string::npos) {
    const auto login = rest.substr(0, at);
    rest.erase(0, at + 1);
    const auto separator = login.find(':');
    const auto unescape = [](const std::string& part) {
      g_autofree gchar* plain = g_uri_unescape_string(part.c_str(), nullptr);
      return plain == nullptr ? part : std::string(plain);
    };
    server.username = unescape(login.substr(0, separator));
    if (separator != std::string::npos) server.credential = unescape(login.substr(separator + 1));
  }
  server.url = text.substr(0, colon + 1) + rest;
  if (!to_gst_url(server)) return bad();
  return server;
}

}  // namespace

Result<std::string> read_token(const std::string& path) {
  g_autofree gchar* text = nullptr;
  gsize size = 0;
  GError* error = nullptr;
  if (g_file_get_contents(path.c_str(), &text, &size, &error) == FALSE) {
    std::string why = error == nullptr ? path : error->message;
    g_clear_error(&error);
    return fail(ErrorCode::kNotFound, "auth-token-file cannot be read: " + why);
  }
  std::string token(text, std::min(size, kMaxTokenBytes));
  while (!token.empty() && (token.back() == '\n' || token.back() == '\r' || token.back() == ' ')) {
    token.pop_back();
  }
  if (token.empty()) return fail(ErrorCode::kInvalid, "auth-token-file is empty: " + path);
  return token;
}

void HttpProperties::install(GObjectClass* object_class) {
  g_object_class_install_property(
      object_class, kLocation,
      g_param_spec_string("location", "Location (URL)",
                          "WHIP or WHEP endpoint, such as https://host:8443/whip/camera", nullptr,
                          kReady));
  g_object_class_install_property(
      object_class, kAuthToken,
      g_param_spec_string(
          "auth-token", "Authorization token",
          "Sent as 'Authorization: Bearer'. Others on this machine can read command "
          "lines: prefer auth-token-file there",
          nullptr, kReadyWriteOnly));
  g_object_class_install_property(
      object_class, kAuthTokenFile,
      g_param_spec_string("auth-token-file", "Authorization token file (path)",
                          "File whose content is the token; read at each start", nullptr, kReady));
  g_object_class_install_property(
      object_class, kStunServer,
      g_param_spec_string("stun-server", "STUN server (URL)",
                          "stun:host:port. Without this and turn-server the endpoint is asked for "
                          "its own (RFC 9725, 4.6)",
                          nullptr, kReady));
  g_object_class_install_property(
      object_class, kTurnServer,
      g_param_spec_string("turn-server", "TURN server (URL)",
                          "turn:user:password@host:port?transport=udp, user and password "
                          "percent-encoded",
                          nullptr, kReadyWriteOnly));
  g_object_class_install_property(
      object_class, kTimeout,
      g_param_spec_uint("timeout", "Timeout (s)",
                        "Seconds for each HTTP request, and for media to connect afterwards", 1,
                        kMaxTimeout, kDefaultTimeout, kReady));
  g_object_class_install_property(
      object_class, kTlsValidation,
      g_param_spec_boolean(
          "tls-validation", "TLS validation",
          "Refuse servers whose HTTPS certificate is not trusted; switching it off "
          "lets anyone in between read the token",
          TRUE, kReady));
  g_object_class_install_property(
      object_class, kTlsCaFile,
      g_param_spec_string(
          "tls-ca-file", "TLS authority file (path)",
          "PEM file of the authority to trust instead of the system's; sotto-server "
          "offers its own for download",
          nullptr, kReady));
  g_object_class_install_property(
      object_class, kStats,
      g_param_spec_boxed("stats", "Statistics",
                         "state (string), bytes-sent, bytes-received, packets-sent, packets-lost, "
                         "fraction-lost (0 to 1), round-trip-us, bitrate-sent (bit/s)",
                         GST_TYPE_STRUCTURE,
                         static_cast<GParamFlags>(G_PARAM_READABLE | G_PARAM_STATIC_STRINGS)));
}

bool HttpProperties::set(guint id, const GValue* value) {
  const std::lock_guard lock(mutex_);
  switch (id) {
    case kLocation: location_ = string_of(value); return true;
    case kAuthToken: auth_token_ = string_of(value); return true;
    case kAuthTokenFile: auth_token_file_ = string_of(value); return true;
    case kStunServer: stun_server_ = string_of(value); return true;
    case kTurnServer: turn_server_ = string_of(value); return true;
    case kTimeout: timeout_s_ = g_value_get_uint(value); return true;
    case kTlsValidation: tls_validation_ = g_value_get_boolean(value) != FALSE; return true;
    case kTlsCaFile: tls_ca_file_ = string_of(value); return true;
    default: return false;
  }
}

bool HttpProperties::get(guint id, GValue* value) const {
  const std::lock_guard lock(mutex_);
  const auto set_string = [&](const std::string& text) {
    g_value_set_string(value, text.empty() ? nullptr : text.c_str());
  };
  switch (id) {
    case kLocation: set_string(location_); return true;
    case kAuthTokenFile: set_string(auth_token_file_); return true;
    case kStunServer: set_string(stun_server_); return true;
    case kTimeout: g_value_set_uint(value, timeout_s_); return true;
    case kTlsValidation: g_value_set_boolean(value, tls_validation_ ? TRUE : FALSE); return true;
    case kTlsCaFile: set_string(tls_ca_file_); return true;
    default: return false;
  }
}

Result<HttpPeerSettings> HttpProperties::resolve() const {
  const std::lock_guard lock(mutex_);
  HttpPeerSettings settings;
  if (location_.rfind("http://", 0) != 0 && location_.rfind("https://", 0) != 0) {
    return fail(ErrorCode::kInvalid, "location must be the http or https URL of an endpoint");
  }
  settings.http.location = location_;
  settings.http.token = auth_token_;
  if (auth_token_.empty() && !auth_token_file_.empty()) {
    auto token = read_token(auth_token_file_);
    if (!token) return tl::unexpected<Error>(token.error());
    settings.http.token = std::move(*token);
  }
  settings.http.validate_tls = tls_validation_;
  settings.http.ca_file = tls_ca_file_;
  settings.http.timeout_s = timeout_s_;
  for (const auto& [text, property] :
       {std::pair(&stun_server_, "stun-server"), std::pair(&turn_server_, "turn-server")}) {
    if (text->empty()) continue;
    auto server = parse_server(*text, property);
    if (!server) return tl::unexpected<Error>(server.error());
    settings.ice_servers.push_back(std::move(*server));
  }
  return settings;
}

}  // namespace sotto
