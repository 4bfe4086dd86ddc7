// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// janus.plugin.streaming: mountpoints, and every other source of the server, to watch.
//
//   streaming.cpp   verbs that manage mountpoints: list, info, create, edit, destroy, …
//   viewer.cpp      verbs of a viewer: watch, start, pause, switch, configure, stop
//   spec.cpp        what `create` and the configuration say
//   *_source.cpp    the sources behind the types
#pragma once

#include "server/janus/plugin.h"

namespace sotto::server::janus {

std::unique_ptr<Plugin> make_streaming(const PluginContext& context);

}  // namespace sotto::server::janus
