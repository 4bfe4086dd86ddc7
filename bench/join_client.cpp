// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// Joins a stream by WHEP again and again, one viewer after the other, and says how long each took
// from the request to the first decoded picture.
//
//   webrtcbin ─► rtpvp8depay | rtph264depay ! h264parse ─► vp8dec | avdec_h264 ! fakesink
//
// The offer is made and its candidates are gathered before the clock starts: a browser has them
// ready as well. The receive side's jitter buffer is as short as a browser's on a quiet network.
#include <CLI/CLI.hpp>
#include <gst/gst.h>
#include <gst/sdp/sdp.h>
#include <gst/webrtc/webrtc.h>
#include <libsoup/soup.h>

#include <chrono>
#include <cstring>
#include <iostream>
#include <string>

namespace {

using Clock = std::chrono::steady_clock;

constexpr guint kJitterMilliseconds = 20;
constexpr guint kJoinSeconds = 30;

struct Settings {
  std::string url;
  std::string token;
  std::string codec = "VP8";
};

/// One join. Everything but the pad callbacks runs on the main context.
class Join {
 public:
  Join(const Settings& settings, GMainLoop* loop) : settings_(settings), loop_(loop) {
    pipeline_ = gst_pipeline_new(nullptr);
    gst_object_ref_sink(pipeline_);
    webrtc_ = gst_element_factory_make("webrtcbin", nullptr);
    g_object_set(webrtc_, "bundle-policy", 3, "latency", kJitterMilliseconds, nullptr);
    GObject* ice = nullptr;
    g_object_get(webrtc_, "ice-agent", &ice, nullptr);
    GObject* agent = nullptr;
    g_object_get(ice, "agent", &agent, nullptr);
    g_object_set(agent, "upnp", FALSE, "ice-tcp", FALSE, nullptr);
    g_object_unref(agent);
    g_object_unref(ice);
    gst_bin_add(GST_BIN(pipeline_), webrtc_);
    g_signal_connect(webrtc_, "pad-added", G_CALLBACK(on_pad), this);
    g_signal_connect(webrtc_, "notify::ice-gathering-state", G_CALLBACK(on_gathering), this);
    g_autoptr(GstCaps) caps =
        gst_caps_new_simple("application/x-rtp", "media", G_TYPE_STRING, "video", "encoding-name",
                            G_TYPE_STRING, settings_.codec.c_str(), "payload", G_TYPE_INT, 96,
                            "clock-rate", G_TYPE_INT, 90000, nullptr);
    if (settings_.codec == "H264") {
      gst_caps_set_simple(caps, "packetization-mode", G_TYPE_STRING, "1", "profile-level-id",
                          G_TYPE_STRING, "42e01f", nullptr);
    }
    GstWebRTCRTPTransceiver* transceiver = nullptr;
    g_signal_emit_by_name(webrtc_, "add-transceiver", GST_WEBRTC_RTP_TRANSCEIVER_DIRECTION_RECVONLY,
                          caps, &transceiver);
    if (transceiver != nullptr) gst_object_unref(transceiver);
    gst_element_set_state(pipeline_, GST_STATE_PLAYING);
    GstPromise* promise = gst_promise_new_with_change_func(
        [](GstPromise* done, gpointer data) {
          auto* self = static_cast<Join*>(data);
          GstWebRTCSessionDescription* offer = nullptr;
          gst_structure_get(gst_promise_get_reply(done), "offer",
                            GST_TYPE_WEBRTC_SESSION_DESCRIPTION, &offer, nullptr);
          g_signal_emit_by_name(self->webrtc_, "set-local-description", offer, nullptr);
          gst_webrtc_session_description_free(offer);
          gst_promise_unref(done);
        },
        this, nullptr);
    g_signal_emit_by_name(webrtc_, "create-offer", nullptr, promise);
  }

  ~Join() {
    gst_element_set_state(pipeline_, GST_STATE_NULL);
    gst_object_unref(pipeline_);
    if (timeout_ != 0) g_source_remove(timeout_);
  }
  Join(const Join&) = delete;
  Join& operator=(const Join&) = delete;

  /// Main loop until the first picture, an error or the time-out.
  void run() {
    timeout_ = g_timeout_add_seconds(
        kJoinSeconds,
        [](gpointer data) -> gboolean {
          auto* self = static_cast<Join*>(data);
          self->timeout_ = 0;
          self->fail_with("no picture in time");
          return G_SOURCE_REMOVE;
        },
        this);
    g_main_loop_run(loop_);
    if (session_url_.empty()) return;
    g_autoptr(SoupMessage) message = soup_message_new("DELETE", session_url_.c_str());
    authorise(message);
    g_autoptr(SoupSession) session = soup_session_new();
    g_autoptr(GBytes) body = soup_session_send_and_read(session, message, nullptr, nullptr);
  }

  const std::string& error() const { return error_; }
  double answer_ms() const { return answer_ms_; }
  double first_picture_ms() const { return first_picture_ms_; }

 private:
  double since_start() const {
    return std::chrono::duration<double, std::milli>(Clock::now() - start_).count();
  }
  void authorise(SoupMessage* message) const {
    if (settings_.token.empty()) return;
    soup_message_headers_append(soup_message_get_request_headers(message), "Authorization",
                                ("Bearer " + settings_.token).c_str());
  }
  void fail_with(std::string error) {
    if (error_.empty()) error_ = std::move(error);
    g_main_loop_quit(loop_);
  }

  static void on_gathering(GstElement* webrtc, GParamSpec*, gpointer data) {
    GstWebRTCICEGatheringState state = GST_WEBRTC_ICE_GATHERING_STATE_NEW;
    g_object_get(webrtc, "ice-gathering-state", &state, nullptr);
    if (state != GST_WEBRTC_ICE_GATHERING_STATE_COMPLETE) return;
    g_idle_add_full(
        G_PRIORITY_HIGH,
        [](gpointer self) -> gboolean {
          static_cast<Join*>(self)->ask();
          return G_SOURCE_REMOVE;
        },
        data, nullptr);
  }

  void ask() {
    GstWebRTCSessionDescription* local = nullptr;
    g_object_get(webrtc_, "local-description", &local, nullptr);
    g_autofree gchar* text = gst_sdp_message_as_text(local->sdp);
    gst_webrtc_session_description_free(local);
    g_autoptr(SoupMessage) message = soup_message_new("POST", settings_.url.c_str());
    authorise(message);
    g_autoptr(GBytes) body = g_bytes_new(text, std::strlen(text));
    soup_message_set_request_body_from_bytes(message, "application/sdp", body);
    g_autoptr(SoupSession) session = soup_session_new();
    start_ = Clock::now();
    g_autoptr(GError) error = nullptr;
    g_autoptr(GBytes) reply = soup_session_send_and_read(session, message, nullptr, &error);
    if (reply == nullptr) return fail_with(error->message);
    const std::string answer(static_cast<const char*>(g_bytes_get_data(reply, nullptr)),
                             g_bytes_get_size(reply));
    if (soup_message_get_status(message) != SOUP_STATUS_CREATED)
      return fail_with(std::to_string(soup_message_get_status(message)) + " " + answer);
    answer_ms_ = since_start();
    const char* location =
        soup_message_headers_get_one(soup_message_get_response_headers(message), "Location");
    if (location != nullptr) {
      g_autofree gchar* absolute =
          g_uri_resolve_relative(settings_.url.c_str(), location, G_URI_FLAGS_NONE, nullptr);
      if (absolute != nullptr) session_url_ = absolute;
    }
    GstSDPMessage* sdp = nullptr;
    gst_sdp_message_new_from_text(answer.c_str(), &sdp);
    g_autoptr(GstWebRTCSessionDescription) remote =
        gst_webrtc_session_description_new(GST_WEBRTC_SDP_TYPE_ANSWER, sdp);
    g_signal_emit_by_name(webrtc_, "set-remote-description", remote, nullptr);
  }

  static void on_pad(GstElement*, GstPad* pad, gpointer data) {
    auto* self = static_cast<Join*>(data);
    if (GST_PAD_DIRECTION(pad) != GST_PAD_SRC) return;
    const char* decode =
        self->settings_.codec == "H264"
            ? "rtph264depay ! h264parse ! avdec_h264 ! fakesink name=end sync=false"
            : "rtpvp8depay ! vp8dec ! fakesink name=end sync=false";
    GstElement* bin = gst_parse_bin_from_description(decode, TRUE, nullptr);
    GstElement* end = gst_bin_get_by_name(GST_BIN(bin), "end");
    g_object_set(end, "signal-handoffs", TRUE, nullptr);
    g_signal_connect(end, "handoff", G_CALLBACK(on_picture), self);
    gst_object_unref(end);
    gst_bin_add(GST_BIN(self->pipeline_), bin);
    gst_element_sync_state_with_parent(bin);
    GstPad* sink = gst_element_get_static_pad(bin, "sink");
    gst_pad_link(pad, sink);
    gst_object_unref(sink);
  }

  static void on_picture(GstElement*, GstBuffer*, GstPad*, gpointer data) {
    auto* self = static_cast<Join*>(data);
    if (self->seen_) return;  // One streaming thread only.
    self->seen_ = true;
    self->first_picture_ms_ = self->since_start();
    g_main_loop_quit(self->loop_);
  }

  const Settings& settings_;
  GMainLoop* loop_;
  GstElement* pipeline_ = nullptr;
  GstElement* webrtc_ = nullptr;
  guint timeout_ = 0;
  Clock::time_point start_;
  bool seen_ = false;
  double answer_ms_ = 0;
  double first_picture_ms_ = 0;
  std::string session_url_;
  std::string error_;
};

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"Times WHEP joins up to the first decoded picture."};
  Settings settings;
  int count = 20;
  app.add_option("--url", settings.url, "WHEP endpoint")->required();
  app.add_option("--token", settings.token, "Bearer token")->envname("SOTTO_TOKEN");
  app.add_option("--codec", settings.codec, "VP8 or H264")
      ->check(CLI::IsMember({"VP8", "H264"}))
      ->capture_default_str();
  app.add_option("--count", count, "Joins")->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  gst_init(nullptr, nullptr);
  GMainLoop* loop = g_main_loop_new(nullptr, FALSE);
  int status = 0;
  for (int i = 0; i < count; ++i) {
    Join join(settings, loop);
    join.run();
    if (!join.error().empty()) {
      std::cerr << "join " << i + 1 << ": " << join.error() << '\n';
      status = 1;
      continue;
    }
    // One line of JSON each.
    std::cout << "{\"answer_ms\": " << join.answer_ms()
              << ", \"first_picture_ms\": " << join.first_picture_ms() << "}" << std::endl;
  }
  g_main_loop_unref(loop);
  return status;
}
