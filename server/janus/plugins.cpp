// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// The one list of plugins. A new one is a folder beside this file and a line here.
#include "server/janus/echotest/echotest.h"
#include "server/janus/plugin.h"
#include "server/janus/streaming/streaming.h"

namespace sotto::server::janus {

std::vector<std::unique_ptr<Plugin>> make_plugins(const PluginContext& context) {
  std::vector<std::unique_ptr<Plugin>> plugins;
  plugins.push_back(make_echotest(context));
  plugins.push_back(make_streaming(context));
  return plugins;
}

}  // namespace sotto::server::janus
