// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// The process' parts put together, without the process: what main() runs and tests start.
#pragma once

#include "server/base/context.h"
#include "server/config/config.h"
#include "server/http/soup_router.h"

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace sotto::server {

struct ServerOptions {
  RouterLimits limits;
  /// Tests of the server's own parts leave the features away.
  std::function<std::vector<std::unique_ptr<Feature>>(Context&)> features;
};

/// Made, used and destroyed on `loop`'s thread.
class Server {
 public:
  /// Opens data_dir, makes keys and password at the first start, starts the features and listens.
  static Result<std::unique_ptr<Server>> start(MainContext& loop, Config config,
                                               ServerOptions options = {});
  virtual ~Server() = default;

  virtual Context& context() = 0;
  virtual SoupRouter& router() = 0;
  /// scheme://host:port of every listener, as an address a program on this machine can use.
  /// Names: https, http, janus_http, janus_ws, admin_http, admin_ws.
  virtual std::map<std::string, std::string> addresses() const = 0;
  virtual std::filesystem::path password_file() const = 0;
  /// Takes over what can change while running and tells the features (`config.reloaded`); returns
  /// the keys that changed and wait for a restart.
  virtual Result<std::vector<std::string>> reload(Config config) = 0;
  /// Tells features and clients, closes the listeners, and calls `done` when all connections are
  /// gone or `within` has passed.
  virtual void stop(std::chrono::milliseconds within, std::function<void()> done) = 0;
};

/// $STATE_DIRECTORY, else $XDG_STATE_HOME/sotto, else ~/.local/state/sotto.
std::filesystem::path default_data_dir();

}  // namespace sotto::server
