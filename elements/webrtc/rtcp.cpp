// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elements/webrtc/rtcp.h"

#include "core/rtc/rtp/packet.h"
#include "elements/webrtc/webrtcbin.h"

#include <gst/rtp/gstrtcpbuffer.h>

#include <algorithm>
#include <vector>

namespace sotto {
namespace {

constexpr int kFarewells = 5;  // RTCP may be lost: say "no limit" this often.
constexpr std::uint32_t kNoLimit = 1'000'000'000;
constexpr guint kMaxRembSources = 16;
constexpr guint kImmediateMembers = 64;  // More than the SSRCs of both sides of a peer.

/// Fields of one source in the session's statistics.
struct Source {
  bool internal = false;
  guint ssrc = 0;
  guint64 bytes_sent = 0, packets_sent = 0, bytes_received = 0;
  guint round_trip = 0;
  gint packets_lost = 0;  // Of those that came from there.
};

std::vector<Source> sources_of(GObject* session) {
  std::vector<Source> sources;
  GstStructure* stats = nullptr;
  g_object_get(session, "stats", &stats, nullptr);
  if (stats == nullptr) return sources;
  const GValue* list = gst_structure_get_value(stats, "source-stats");
  G_GNUC_BEGIN_IGNORE_DEPRECATIONS
  const auto* array =
      list == nullptr ? nullptr : static_cast<GValueArray*>(g_value_get_boxed(list));
  for (guint i = 0; array != nullptr && i < array->n_values; ++i) {
    const auto* s = static_cast<const GstStructure*>(
        g_value_get_boxed(g_value_array_get_nth(const_cast<GValueArray*>(array), i)));
    G_GNUC_END_IGNORE_DEPRECATIONS
    if (s == nullptr) continue;
    Source source;
    gboolean internal = FALSE;
    gboolean has_report = FALSE;
    gst_structure_get(s, "ssrc", G_TYPE_UINT, &source.ssrc, "internal", G_TYPE_BOOLEAN, &internal,
                      nullptr);
    gst_structure_get(s, "octets-sent", G_TYPE_UINT64, &source.bytes_sent, "packets-sent",
                      G_TYPE_UINT64, &source.packets_sent, nullptr);
    gst_structure_get_uint64(s, "octets-received", &source.bytes_received);
    gst_structure_get_int(s, "packets-lost", &source.packets_lost);
    if (gst_structure_get(s, "have-rb", G_TYPE_BOOLEAN, &has_report, nullptr) != FALSE &&
        has_report != FALSE) {
      gst_structure_get_uint(s, "rb-round-trip", &source.round_trip);
    }
    source.internal = internal != FALSE;
    sources.push_back(source);
  }
  gst_structure_free(stats);
  return sources;
}

GstPadProbeReturn read_reports(GstPad*, GstPadProbeInfo* info, gpointer held) {
  GstMapInfo map;
  if (gst_buffer_map(GST_PAD_PROBE_INFO_BUFFER(info), &map, GST_MAP_READ) == FALSE) {
    return GST_PAD_PROBE_OK;
  }
  const auto blocks = rtc::rtp::find_report_blocks({map.data, map.size});
  gst_buffer_unmap(GST_PAD_PROBE_INFO_BUFFER(info), &map);
  (*static_cast<std::shared_ptr<rtc::rtp::LossBook>*>(held))->heard(blocks);
  return GST_PAD_PROBE_OK;
}

/// "REMB", the number of SSRCs, and the rate as 6 bits of exponent and 18 of mantissa.
void write_remb(guint8* fci, std::uint32_t rate, const std::vector<guint>& ssrcs) {
  guint exponent = 0;
  while ((rate >> exponent) >= (1U << 18U)) ++exponent;
  const guint mantissa = rate >> exponent;
  rtc::rtp::store_u32(fci, 0x52454d42);
  fci[4] = static_cast<guint8>(ssrcs.size());
  fci[5] = static_cast<guint8>((exponent << 2U) | (mantissa >> 16U));
  rtc::rtp::store_u16(fci + 6, static_cast<guint16>(mantissa));
  for (std::size_t i = 0; i < ssrcs.size(); ++i) rtc::rtp::store_u32(fci + 8 + 4 * i, ssrcs[i]);
}

}  // namespace

bool RtcpLink::attach(GstElement* webrtcbin) {
  const auto rtpbin = GstPtr<GstElement>::adopt(gst_bin_get_by_name(GST_BIN(webrtcbin), "rtpbin"));
  if (!rtpbin) return false;
  GObject* session = nullptr;
  g_signal_emit_by_name(rtpbin.get(), "get-internal-session", 0U, &session);
  if (session == nullptr) return false;
  session_ = GstPtr<GstObject>::adopt(reinterpret_cast<GstObject*>(session));
  // Sound, pictures and what repeats them are more members than the three up to which feedback goes
  // out at once; beyond, RFC 4585 lets a question for a lost packet wait until it is of no use.
  g_object_set(session, "rtcp-immediate-feedback-threshold", kImmediateMembers, nullptr);
  GstIterator* repeaters =
      gst_bin_iterate_all_by_element_factory_name(GST_BIN(webrtcbin), "rtprtxsend");
  GValue item = G_VALUE_INIT;
  while (gst_iterator_next(repeaters, &item) == GST_ITERATOR_OK) {
    repeaters_.push_back(GstPtr<GstElement>::ref(GST_ELEMENT(g_value_get_object(&item))));
    g_value_reset(&item);
  }
  g_value_unset(&item);
  gst_iterator_free(repeaters);
  if (const auto decoder = find_made_by(webrtcbin, "dtlssrtpdec")) {
    const auto pad = GstPtr<GstPad>::adopt(gst_element_get_static_pad(decoder.get(), "rtcp_src"));
    gst_pad_add_probe(pad.get(), GST_PAD_PROBE_TYPE_BUFFER, read_reports,
                      new std::shared_ptr<rtc::rtp::LossBook>(losses_), [](gpointer shared) {
                        delete static_cast<std::shared_ptr<rtc::rtp::LossBook>*>(shared);
                      });
  }
  handler_ = g_signal_connect_data(
      session, "on-sending-rtcp", G_CALLBACK(on_sending_rtcp), new std::shared_ptr<Limit>(limit_),
      [](gpointer held, GClosure*) { delete static_cast<std::shared_ptr<Limit>*>(held); },
      static_cast<GConnectFlags>(0));
  return true;
}

void RtcpLink::close() {
  if (handler_ != 0) g_signal_handler_disconnect(session_.get(), std::exchange(handler_, 0));
  session_.reset();
  repeaters_.clear();
}

void RtcpLink::limit(std::uint32_t bits_per_second) {
  if (bits_per_second == 0 && limit_->bits_per_second.load() != 0) limit_->farewells = kFarewells;
  limit_->bits_per_second = bits_per_second;
}

gboolean RtcpLink::on_sending_rtcp(GObject* session, GstBuffer* buffer, gboolean early,
                                   gpointer held) {
  (void)early;
  auto& limit = **static_cast<std::shared_ptr<Limit>*>(held);
  std::uint32_t rate = limit.bits_per_second;
  if (rate == 0) {
    if (limit.farewells.load() <= 0) return FALSE;
    limit.farewells.fetch_sub(1);
    rate = kNoLimit;
  }
  std::vector<guint> ssrcs;
  guint own = 0;
  for (const auto& source : sources_of(session)) {
    if (source.internal) {
      own = source.ssrc;
    } else if (ssrcs.size() < kMaxRembSources) {
      ssrcs.push_back(source.ssrc);
    }
  }
  if (ssrcs.empty()) return FALSE;
  GstRTCPBuffer rtcp = GST_RTCP_BUFFER_INIT;
  if (gst_rtcp_buffer_map(buffer, GST_MAP_READWRITE, &rtcp) == FALSE) return FALSE;
  GstRTCPPacket packet;
  bool added = false;
  if (gst_rtcp_buffer_add_packet(&rtcp, GST_RTCP_TYPE_PSFB, &packet) != FALSE) {
    gst_rtcp_packet_fb_set_type(&packet, GST_RTCP_PSFB_TYPE_AFB);
    gst_rtcp_packet_fb_set_sender_ssrc(&packet, own);
    gst_rtcp_packet_fb_set_media_ssrc(&packet, 0);
    added =
        gst_rtcp_packet_fb_set_fci_length(&packet, static_cast<guint16>(2 + ssrcs.size())) != FALSE;
    if (added) {
      write_remb(gst_rtcp_packet_fb_get_fci(&packet), rate, ssrcs);
    } else {
      gst_rtcp_packet_remove(&packet);
    }
  }
  gst_rtcp_buffer_unmap(&rtcp);
  return added ? TRUE : FALSE;
}

rtc::PeerStats RtcpLink::stats() {
  rtc::PeerStats stats;
  if (!session_) return stats;
  guint longest_trip = 0;
  for (const auto& source : sources_of(reinterpret_cast<GObject*>(session_.get()))) {
    stats.bytes_sent += source.bytes_sent;
    stats.packets_sent += source.packets_sent;
    if (!source.internal) stats.bytes_received += source.bytes_received;
    longest_trip = std::max(longest_trip, source.round_trip);
  }
  for (const auto& repeater : repeaters_) {
    guint repeated = 0;
    g_object_get(repeater.get(), "num-rtx-packets", &repeated, nullptr);
    stats.packets_repeated += repeated;
  }
  stats.packets_lost = losses_->lost();
  stats.fraction_lost = losses_->worst_fraction();
  // In units of 1/65536 s (RFC 3550, 6.4.1).
  stats.round_trip =
      std::chrono::microseconds(static_cast<std::int64_t>(longest_trip) * 1'000'000 / 65536);
  const gint64 now = g_get_monotonic_time();
  if (last_asked_ != 0 && now > last_asked_ && stats.bytes_sent >= last_bytes_) {
    stats.bitrate_sent = (stats.bytes_sent - last_bytes_) * 8'000'000 /
                         static_cast<std::uint64_t>(now - last_asked_);
  }
  last_asked_ = now;
  last_bytes_ = stats.bytes_sent;
  return stats;
}

std::map<std::uint32_t, std::uint64_t> RtcpLink::lost_of_received() const {
  std::map<std::uint32_t, std::uint64_t> lost;
  if (!session_) return lost;
  for (const auto& source : sources_of(reinterpret_cast<GObject*>(session_.get()))) {
    if (source.internal) continue;
    lost[source.ssrc] = static_cast<std::uint64_t>(std::max(source.packets_lost, 0));
  }
  return lost;
}

}  // namespace sotto
