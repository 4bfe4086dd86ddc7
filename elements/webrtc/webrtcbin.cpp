// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elements/webrtc/webrtcbin.h"

#include "core/rtc/sdp/candidate.h"
#include "core/rtc/sdp/normalise.h"

#include <agent.h>
#include <interfaces.h>

#include <algorithm>
#include <cctype>
#include <memory>

namespace sotto {
namespace {

struct GObjectUnref {
  void operator()(gpointer object) const { g_object_unref(object); }
};
template <class T>
using GObjectPtr = std::unique_ptr<T, GObjectUnref>;

/// RFC 3986: user names and passwords of time-limited TURN credentials hold colons and slashes.
std::string percent_encoded(const std::string& text) {
  g_autofree gchar* escaped = g_uri_escape_string(text.c_str(), nullptr, FALSE);
  return escaped;
}

/// libnice leaves loopback out of what it finds by itself; given a list it finds nothing more.
void add_local_addresses(NiceAgent* agent) {
  GList* addresses = nice_interfaces_get_local_ips(TRUE);
  for (GList* item = addresses; item != nullptr; item = item->next) {
    NiceAddress address;
    nice_address_init(&address);
    const auto* text = static_cast<const char*>(item->data);
    if (nice_address_set_from_string(&address, text) == FALSE) continue;
    if (rtc::sdp::is_link_local_ipv6(text)) continue;
    nice_agent_add_local_address(agent, &address);
  }
  g_list_free_full(addresses, g_free);
}

std::string upper(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return text;
}

Result<> harden(GstElement* webrtcbin, const WebrtcbinOptions& options) {
  GstObject* ice_raw = nullptr;
  g_object_get(webrtcbin, "ice-agent", &ice_raw, nullptr);
  const GObjectPtr<GstObject> ice(ice_raw);
  if (!ice) return fail(ErrorCode::kUnavailable, "webrtcbin has no ICE agent");
  g_object_set(ice.get(), "ice-tcp", FALSE, "ice-udp", TRUE, nullptr);
  if (options.max_port != 0) {
    g_object_set(ice.get(), "min-rtp-port", static_cast<guint>(options.min_port), "max-rtp-port",
                 static_cast<guint>(options.max_port), nullptr);
  }
  NiceAgent* agent_raw = nullptr;
  g_object_get(ice.get(), "agent", &agent_raw, nullptr);
  const GObjectPtr<NiceAgent> agent(agent_raw);
  if (!agent) return fail(ErrorCode::kUnavailable, "webrtcbin's ICE agent is not libnice");
  // Without checks of the chosen pair nobody notices that the other side is gone (1.22 has no
  // consent freshness, RFC 7675).
  g_object_set(agent.get(), "upnp", FALSE, "keepalive-conncheck", TRUE, nullptr);
  if (options.loopback_candidates) add_local_addresses(agent.get());
  return {};
}

/// The kind of the section that names this SSRC in the remote description.
bool is_video(GstElement* webrtcbin, guint ssrc) {
  GstWebRTCSessionDescription* raw = nullptr;
  g_object_get(webrtcbin, "remote-description", &raw, nullptr);
  if (raw == nullptr) return false;
  const std::unique_ptr<GstWebRTCSessionDescription, decltype(&gst_webrtc_session_description_free)>
      description(raw, gst_webrtc_session_description_free);
  for (guint i = 0; i < gst_sdp_message_medias_len(raw->sdp); ++i) {
    const auto* media = gst_sdp_message_get_media(raw->sdp, i);
    for (guint n = 0;; ++n) {
      const char* value = gst_sdp_media_get_attribute_val_n(media, "ssrc", n);
      if (value == nullptr) break;
      if (g_ascii_strtoull(value, nullptr, 10) == ssrc) {
        return g_strcmp0(gst_sdp_media_get_media(media), "video") == 0;
      }
    }
  }
  return false;
}

struct Buffering {
  GstElement* webrtcbin;  // Holds the rtpbin that calls us.
  guint video_latency;    // ms
};

/// webrtcbin 1.22 gives each jitter buffer the do-nack of every section of the bundle in turn: the
/// last one's, mostly the sound's, holds for all, and lost pictures are never asked for. Called
/// after its own handler.
void on_new_jitterbuffer(GstElement* /*rtpbin*/, GstElement* jitterbuffer, guint /*session*/,
                         guint ssrc, gpointer held) {
  const auto& buffering = *static_cast<Buffering*>(held);
  const bool video = is_video(buffering.webrtcbin, ssrc);
  g_object_set(jitterbuffer, "do-retransmission", video ? TRUE : FALSE, nullptr);
  if (video) g_object_set(jitterbuffer, "latency", buffering.video_latency, nullptr);
}

}  // namespace

Result<std::string> to_gst_url(const rtc::IceServer& server) {
  const auto colon = server.url.find(':');
  const auto scheme = server.url.substr(0, colon);
  if (colon == std::string::npos || (scheme != "stun" && scheme != "turn" && scheme != "turns")) {
    return fail(ErrorCode::kInvalid, "ICE server: want stun:, turn: or turns:host:port");
  }
  auto rest = server.url.substr(colon + 1);
  if (rest.rfind("//", 0) == 0) rest.erase(0, 2);
  const bool bad = rest.empty() || std::any_of(rest.begin(), rest.end(), [](char c) {
                     return static_cast<unsigned char>(c) <= ' ' || c == '@' || c == '/';
                   });
  if (bad) return fail(ErrorCode::kInvalid, "ICE server: bad host in URL");
  const auto query_at = std::min(rest.find('?'), rest.size());
  auto host = rest.substr(0, query_at);
  const auto after_bracket = host.rfind(']') == std::string::npos ? 0 : host.rfind(']');
  if (host.find(':', after_bracket) == std::string::npos) {
    host += scheme == "turns" ? ":5349" : ":3478";
  }
  if (scheme == "stun") return "stun://" + host;
  return scheme + "://" + percent_encoded(server.username) + ":" +
         percent_encoded(server.credential) + "@" + host + rest.substr(query_at);
}

Result<GstPtr<GstElement>> make_webrtcbin(const WebrtcbinOptions& options, const char* name) {
  for (const auto& [factory, package] : {std::pair("nicesrc", "gstreamer1.0-nice"),
                                         std::pair("dtlssrtpenc", "gstreamer1.0-plugins-bad"),
                                         std::pair("rtpbin", "gstreamer1.0-plugins-good")}) {
    const auto found = GstPtr<GstElementFactory>::adopt(gst_element_factory_find(factory));
    if (!found) {
      return fail(ErrorCode::kUnavailable,
                  std::string("GStreamer lacks ") + factory + "; install the package " + package);
    }
  }
  auto webrtcbin = GstPtr<GstElement>::sink(gst_element_factory_make("webrtcbin", name));
  if (!webrtcbin) {
    return fail(ErrorCode::kUnavailable,
                "GStreamer lacks webrtcbin; install the package gstreamer1.0-plugins-bad");
  }
  gst_util_set_object_arg(G_OBJECT(webrtcbin.get()), "bundle-policy", "max-bundle");
  g_object_set(webrtcbin.get(), "latency", static_cast<guint>(options.jitter_latency.count()),
               nullptr);
  if (const auto rtpbin =
          GstPtr<GstElement>::adopt(gst_bin_get_by_name(GST_BIN(webrtcbin.get()), "rtpbin"))) {
    const auto latency = std::max(options.jitter_latency, options.repeat_latency);
    g_signal_connect_data(
        rtpbin.get(), "new-jitterbuffer", G_CALLBACK(on_new_jitterbuffer),
        new Buffering{webrtcbin.get(), static_cast<guint>(latency.count())},
        [](gpointer held, GClosure*) { delete static_cast<Buffering*>(held); },
        static_cast<GConnectFlags>(0));
  }
  if (auto hardened = harden(webrtcbin.get(), options); !hardened) {
    return tl::unexpected<Error>(hardened.error());
  }
  for (const auto& server : options.ice_servers) {
    const auto url = to_gst_url(server);
    if (!url) return tl::unexpected<Error>(url.error());
    if (url->rfind("stun", 0) == 0) {
      g_object_set(webrtcbin.get(), "stun-server", url->c_str(), nullptr);
      continue;
    }
    gboolean added = FALSE;
    g_signal_emit_by_name(webrtcbin.get(), "add-turn-server", url->c_str(), &added);
    if (added == FALSE) return fail(ErrorCode::kInvalid, "ICE server: webrtcbin refuses it");
  }
  return webrtcbin;
}

GstPtr<GstCaps> to_caps(const rtc::Codec& codec, std::optional<std::uint32_t> ssrc,
                        const std::string& mid, int twcc) {
  const auto media = std::string(rtc::name_of(codec.kind));
  GstCaps* caps = gst_caps_new_simple("application/x-rtp", "media", G_TYPE_STRING, media.c_str(),
                                      "encoding-name", G_TYPE_STRING, upper(codec.name).c_str(),
                                      "clock-rate", G_TYPE_INT, static_cast<gint>(codec.clock_rate),
                                      "payload", G_TYPE_INT, codec.payload_type, nullptr);
  if (codec.channels > 1) {
    gst_caps_set_simple(caps, "encoding-params", G_TYPE_STRING,
                        std::to_string(codec.channels).c_str(), nullptr);
  }
  if (ssrc) gst_caps_set_simple(caps, "ssrc", G_TYPE_UINT, static_cast<guint>(*ssrc), nullptr);
  if (!mid.empty()) gst_caps_set_simple(caps, "a-mid", G_TYPE_STRING, mid.c_str(), nullptr);
  if (twcc > 0) {
    gst_caps_set_simple(caps, ("extmap-" + std::to_string(twcc)).c_str(), G_TYPE_STRING,
                        std::string(rtc::sdp::kTransportWideCc).c_str(), "rtcp-fb-transport-cc",
                        G_TYPE_BOOLEAN, TRUE, nullptr);
  }
  return GstPtr<GstCaps>::adopt(caps);
}

GstWebRTCRTPTransceiverDirection to_gst(rtc::Direction direction) {
  switch (direction) {
    case rtc::Direction::kSendOnly: return GST_WEBRTC_RTP_TRANSCEIVER_DIRECTION_SENDONLY;
    case rtc::Direction::kRecvOnly: return GST_WEBRTC_RTP_TRANSCEIVER_DIRECTION_RECVONLY;
    case rtc::Direction::kSendRecv: return GST_WEBRTC_RTP_TRANSCEIVER_DIRECTION_SENDRECV;
    case rtc::Direction::kInactive: break;
  }
  return GST_WEBRTC_RTP_TRANSCEIVER_DIRECTION_INACTIVE;
}

GstPtr<GstElement> find_made_by(GstElement* bin, const char* factory) {
  GstIterator* all = gst_bin_iterate_all_by_element_factory_name(GST_BIN(bin), factory);
  GValue item = G_VALUE_INIT;
  GstPtr<GstElement> found;
  if (gst_iterator_next(all, &item) == GST_ITERATOR_OK) {
    found = GstPtr<GstElement>::ref(GST_ELEMENT(g_value_get_object(&item)));
    g_value_unset(&item);
  }
  gst_iterator_free(all);
  return found;
}

}  // namespace sotto
