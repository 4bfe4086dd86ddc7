// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// janus.plugin.echotest: what the client sends comes back.
//
//   Peer receive ──► switch (audio/video on or off) ──► Track ──► Subscription ──► same Peer's sink
//
// RTP is relayed untouched, so encrypted frames survive. Text on a data channel comes back with a
// greeting, bytes come back as they are.
#pragma once

#include "server/janus/plugin.h"

namespace sotto::server::janus {

std::unique_ptr<Plugin> make_echotest(const PluginContext& context);

}  // namespace sotto::server::janus
