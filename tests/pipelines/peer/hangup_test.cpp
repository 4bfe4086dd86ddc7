// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// How a browser hangs up: its SCTP association is aborted before DTLS says goodbye (RFC 8831, 6.2).
#include "elements/webrtc/promise.h"
#include "elements/webrtc/webrtcbin.h"
#include "tests/pipelines/peer/fixture.h"

#include <algorithm>

namespace sotto {
namespace {

/// RFC 3309, appendix A, bit by bit.
std::uint32_t crc32c(ByteView bytes) {
  std::uint32_t crc = ~0U;
  for (const std::uint8_t byte : bytes) {
    crc ^= byte;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1U) ^ ((crc & 1U) != 0 ? 0x82f63b78U : 0U);
  }
  return ~crc;
}

/// An ABORT with the cause "user initiated" in the place of this packet (RFC
/// 9260, 3.3.7, 3.3.10.12).
Bytes abort_instead_of(ByteView packet) {
  constexpr std::size_t kCommonHeader = 12;
  Bytes abort(packet.begin(), packet.begin() + kCommonHeader);
  abort.insert(abort.end(), {6, 0, 0, 8, 0, 12, 0, 4});
  std::fill_n(abort.begin() + 8, 4, std::uint8_t{0});
  const auto crc = crc32c(abort);
  for (unsigned i = 0; i < 4; ++i) abort[8 + i] = static_cast<std::uint8_t>(crc >> (8 * i));
  return abort;
}

/// A webrtcbin with nothing of ours around it, that offers a data channel.
class Stranger {
 public:
  Stranger() {
    WebrtcbinOptions options;
    options.loopback_candidates = true;
    webrtcbin_ = *make_webrtcbin(options, "stranger");
    pipeline_ = GstPtr<GstElement>::sink(gst_pipeline_new(nullptr));
    gst_bin_add(GST_BIN(pipeline_.get()), webrtcbin_.get());
    gst_element_set_state(pipeline_.get(), GST_STATE_PLAYING);
    GObject* channel = nullptr;
    g_signal_emit_by_name(webrtcbin_.get(), "create-data-channel", "line", nullptr, &channel);
    channel_ = GstPtr<GstObject>::adopt(reinterpret_cast<GstObject*>(channel));
  }
  ~Stranger() {
    gst_element_set_state(pipeline_.get(), GST_STATE_NULL);
    const auto bus = GstPtr<GstBus>::adopt(gst_element_get_bus(pipeline_.get()));
    gst_bus_set_flushing(bus.get(), TRUE);
  }

  void describe() {
    DescriptionPtr offer;
    ask("create-offer", [&](const GstStructure* reply) {
      GstWebRTCSessionDescription* made = nullptr;
      gst_structure_get(reply, "offer", GST_TYPE_WEBRTC_SESSION_DESCRIPTION, &made, nullptr);
      offer.reset(made);
    });
    ask("set-local-description", nullptr, offer.get());
  }
  bool gathered() const {
    int state = 0;
    g_object_get(webrtcbin_.get(), "ice-gathering-state", &state, nullptr);
    return state == GST_WEBRTC_ICE_GATHERING_STATE_COMPLETE;
  }
  std::string offer() const {
    GstWebRTCSessionDescription* local = nullptr;
    g_object_get(webrtcbin_.get(), "local-description", &local, nullptr);
    return text_of(DescriptionPtr(local).get());
  }
  void accept(const std::string& answer) {
    const auto description = make_description(GST_WEBRTC_SDP_TYPE_ANSWER, answer);
    ask("set-remote-description", nullptr, description->get());
  }
  bool open() const {
    int state = 0;
    g_object_get(channel_.get(), "ready-state", &state, nullptr);
    return state == GST_WEBRTC_DATA_CHANNEL_STATE_OPEN;
  }
  void say(const char* text) { g_signal_emit_by_name(channel_.get(), "send-string", text); }
  /// From now on each SCTP packet that would leave is an ABORT.
  void abort_association() {
    const auto encoder = find_made_by(webrtcbin_.get(), "sctpenc");
    ASSERT_TRUE(encoder);
    const auto pad = GstPtr<GstPad>::adopt(gst_element_get_static_pad(encoder.get(), "src"));
    gst_pad_add_probe(
        pad.get(), GST_PAD_PROBE_TYPE_BUFFER,
        [](GstPad*, GstPadProbeInfo* info, gpointer) {
          GstMapInfo map;
          gst_buffer_map(GST_PAD_PROBE_INFO_BUFFER(info), &map, GST_MAP_READ);
          const Bytes abort = abort_instead_of({map.data, map.size});
          gst_buffer_unmap(GST_PAD_PROBE_INFO_BUFFER(info), &map);
          gst_buffer_unref(GST_PAD_PROBE_INFO_BUFFER(info));
          GST_PAD_PROBE_INFO_DATA(info) = gst_buffer_new_memdup(abort.data(), abort.size());
          return GST_PAD_PROBE_OK;
        },
        nullptr, nullptr);
  }

 private:
  /// Emits an action signal of webrtcbin and waits for its promise.
  template <class... Arguments>
  void ask(const char* signal, const std::function<void(const GstStructure*)>& take,
           Arguments... arguments) {
    auto* promise = gst_promise_new();
    if constexpr (sizeof...(arguments) == 0) {
      g_signal_emit_by_name(webrtcbin_.get(), signal, nullptr, promise);
    } else {
      g_signal_emit_by_name(webrtcbin_.get(), signal, arguments..., promise);
    }
    EXPECT_EQ(gst_promise_wait(promise), GST_PROMISE_RESULT_REPLIED) << signal;
    if (take) take(gst_promise_get_reply(promise));
    gst_promise_unref(promise);
  }

  GstPtr<GstElement> pipeline_;
  GstPtr<GstElement> webrtcbin_;
  GstPtr<GstObject> channel_;  // A GObject, kept by g_object_ref all the same.
};

TEST_F(PeerTest, AnAbortedAssociationIsTheOtherSidesHangUp) {
  Stranger caller;
  caller.describe();
  ASSERT_TRUE(until([&] { return caller.gathered(); }));
  Ear& callee_ear = ear();
  rtc::PeerOptions options;
  options.silence_deadline = 10min;
  const auto callee = make(callee_ear, options);
  const auto offer = caller.offer();
  const auto mid = rtc::sdp::parse(offer)->media[0].mid();
  const auto sdp_answer = answer(*callee, offer, {data_plan(mid)});
  ASSERT_TRUE(sdp_answer) << sdp_answer.error().message;
  caller.accept(*sdp_answer);
  ASSERT_TRUE(until([&] { return callee_ear.connected == 1 && caller.open(); })) << callee_ear.why;
  caller.say("hello");
  ASSERT_TRUE(until([&] { return callee_ear.messages.size() == 1; }));
  // One message is under way when the line is cut, as a browser's page may have one.
  ASSERT_TRUE(callee->send_data("line", true, as_bytes("under way")));
  caller.abort_association();
  caller.say("goodbye");
  ASSERT_TRUE(until([&] { return callee_ear.closed.has_value(); }));
  EXPECT_EQ(callee_ear.closed, rtc::CloseReason::kRemote) << callee_ear.why;
}

}  // namespace
}  // namespace sotto
