// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// The answer to `info`: what clients may rely on.
#include "server/config/config.h"
#include "server/janus/gateway.h"

#include <gst/gst.h>
#include <unistd.h>

#include <array>

namespace sotto::server::janus {
namespace {

/// The API level we speak, as Janus numbers it: scripts compare it.
constexpr int kApiVersion = 1102;
constexpr const char* kVersionString = "0.1.0";

std::string host_name() {
  std::array<char, 256> name{};
  return gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "localhost";
}

}  // namespace

Json Gateway::server_info(const std::string& transaction) const {
  const auto& config = server_.config;
  Json plugins = Json::object();
  for (const auto& [package, plugin] : plugins_) {
    const PluginInfo& info = plugin->info();
    plugins[package] = {{"name", info.name},
                        {"author", "The sotto authors"},
                        {"description", info.description},
                        {"version_string", info.version_string},
                        {"version", info.version}};
  }
  Json transports = Json::object();
  for (const auto& transport : transports_) {
    transports[transport.package] = {{"name", transport.name},
                                     {"author", "The sotto authors"},
                                     {"description", transport.description},
                                     {"version_string", kVersionString},
                                     {"version", 1}};
  }
  guint major = 0, minor = 0, micro = 0, nano = 0;
  gst_version(&major, &minor, &micro, &nano);
  return {{"janus", "server_info"},
          {"transaction", transaction},
          {"name", "sotto"},
          {"version", kApiVersion},
          {"version_string", kVersionString},
          {"author", "The sotto authors"},
          {"data_channels", true},
          {"accepting-new-sessions", accepting_ && sessions_.size() < config.janus.max_sessions},
          {"session-timeout", config.janus.session_timeout.count()},
          {"reclaim-session-timeout", config.janus.reclaim_timeout.count()},
          {"candidates-timeout", config.janus.candidates_timeout.count()},
          {"server-name", host_name()},
          {"ipv6", true},
          {"ice-lite", false},
          {"ice-tcp", false},
          // All our candidates are in the description; `trickle` events are never needed.
          {"full-trickle", false},
          {"mdns-enabled", false},
          {"static-event-loops", 0},
          {"api_secret", !config.janus.api_secret.empty()},
          {"auth_token", true},
          {"event_handlers", false},
          {"opaqueid_in_api", false},
          {"dependencies",
           {{"gstreamer",
             std::to_string(major) + "." + std::to_string(minor) + "." + std::to_string(micro)}}},
          {"transports", std::move(transports)},
          {"events", Json::object()},
          {"loggers", Json::object()},
          {"plugins", std::move(plugins)}};
}

}  // namespace sotto::server::janus
