// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// How the core gets peer connections: a seam, so that tests need no network and the engine may
// change.
#pragma once

#include "core/rtc/peer.h"

#include <functional>
#include <memory>

namespace sotto::server::janus {

/// The listener outlives the peer, or closes it first. Null when no more can be made.
using PeerFactory = std::function<std::shared_ptr<rtc::Peer>(rtc::PeerOptions options,
                                                             rtc::PeerListener& listener)>;

}  // namespace sotto::server::janus
