// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// What a peer tells and hears by RTCP: receiver reports as statistics, bitrate limits as REMB.
#pragma once

#include "core/rtc/peer.h"
#include "core/rtc/rtp/report.h"
#include "elements/glue/gst_ptr.h"

#include <gst/gst.h>

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <vector>

namespace sotto {

/// The RTP session of a bundled webrtcbin. All calls are thread safe.
class RtcpLink {
 public:
  ~RtcpLink() { close(); }

  /// After negotiation, when the session exists. False when it does not.
  bool attach(GstElement* webrtcbin);
  void close();

  /// Goes out with every report from now on (draft-alvestrand-rmcat-remb-03). 0 lifts the limit.
  void limit(std::uint32_t bits_per_second);
  /// Of the reports so far; bitrate and nothing else depends on when it was last asked.
  rtc::PeerStats stats();
  /// Of the stream with this SSRC, which we send, as the other side reports.
  std::uint64_t lost_of_sent(std::uint32_t ssrc) const { return losses_->lost(ssrc); }
  /// By SSRC, of the streams that come.
  std::map<std::uint32_t, std::uint64_t> lost_of_received() const;

 private:
  /// Shared with the session's signal, which a report under way may still be in.
  struct Limit {
    std::atomic<std::uint32_t> bits_per_second{0};
    std::atomic<int> farewells{0};  // Reports that still say "no limit" after one was lifted.
  };
  static gboolean on_sending_rtcp(GObject* session, GstBuffer* buffer, gboolean early,
                                  gpointer held);

  std::shared_ptr<Limit> limit_ = std::make_shared<Limit>();
  std::shared_ptr<rtc::rtp::LossBook> losses_ = std::make_shared<rtc::rtp::LossBook>();
  GstPtr<GstObject> session_;
  std::vector<GstPtr<GstElement>> repeaters_;  // The rtprtxsend of each sending section.
  gulong handler_ = 0;
  std::uint64_t last_bytes_ = 0;
  gint64 last_asked_ = 0;  // Monotonic µs.
};

}  // namespace sotto
