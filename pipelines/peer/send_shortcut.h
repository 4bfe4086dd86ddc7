// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// A frame's packets leave webrtcbin in one system call instead of one each.
//
//   … ─► srtpenc ─► dtlssrtpenc ─► nicesink ─► libnice ─► sendmsg per packet
//                              └─► here: one sendmsg with UDP_SEGMENT per run of equal sizes
//
// More than a third of what a viewer costs is libnice's call per packet. Once a pair of plain UDP
// candidates is selected, packets that reach nicesink are sent from here over the very same socket
// (libnice hands it out for that purpose). Relayed and TCP pairs, and systems without generic
// segmentation offload, keep the way they had. The receiving side, checks and DTLS stay libnice's.
#pragma once

#include "elements/glue/gst_ptr.h"

#include <gst/gst.h>

#include <cstdint>
#include <memory>
#include <vector>

namespace sotto {

struct ShortcutStats {
  std::uint64_t packets = 0;
  std::uint64_t calls = 0;
  std::uint64_t dropped = 0;  ///< Packets for which the socket had no room.
};

class SendShortcut {
 public:
  SendShortcut();
  ~SendShortcut();
  SendShortcut(const SendShortcut&) = delete;
  SendShortcut& operator=(const SendShortcut&) = delete;

  /// Once the transports exist (after negotiation) and before media flows: it also takes unused FEC
  /// encoders out of the way. False when there is no transport to shorten.
  bool attach(GstElement* webrtcbin);
  /// Everything goes the long way again. Idempotent.
  void close();
  ShortcutStats stats() const;

 private:
  struct Transport;
  std::vector<std::shared_ptr<Transport>> transports_;
};

}  // namespace sotto
