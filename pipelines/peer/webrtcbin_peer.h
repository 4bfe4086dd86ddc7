// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// rtc::Peer on GStreamer's webrtcbin.
//
//   Track ► worker ► PadSink ─► sink_N ┐                 ┌ src_N ─► FrameTap ► Gate ► receiver
//                                      ├── webrtcbin ────┤
//   a pipeline of its own, on the      ┘   │ ICE, DTLS   └ data channels ► listener
//   monotonic clock, base time 0           ▼
//                          CertificateGuard: opens sinks and gates, or closes the peer
#pragma once

#include "core/rtc/peer.h"
#include "elements/glue/main_context.h"

#include <chrono>
#include <memory>

namespace sotto {

/// Call on `main`'s thread, where every callback will be. `listener` must live until its on_closed
/// was called. A failure to build the engine is reported by the first operation.
std::shared_ptr<rtc::Peer> make_webrtcbin_peer(MainContext& main, rtc::PeerListener& listener,
                                               rtc::PeerOptions options);

/// Closed peers are taken apart on threads of their own, since webrtcbin may block. Waits until
/// all are; false when `limit` passed before. For the end of a process and for tests.
bool wait_for_teardown(std::chrono::milliseconds limit);

}  // namespace sotto
