// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// Real media through the Janus API: a webrtcbin client runs the echo test and watches a mountpoint.
#include "core/rtc/rtp/packet.h"
#include "core/rtc/sdp/sdp.h"
#include "elements/glue/gst_ptr.h"
#include "pipelines/fanout/clock.h"
#include "pipelines/fanout/frame_tap.h"
#include "pipelines/peer/webrtcbin_peer.h"
#include "server/janus/gateway.h"
#include "tests/server/janus/support.h"
#include "tests/support/server_fixture.h"

#include <gst/gst.h>

#include <filesystem>
#include <mutex>
#include <set>

namespace sotto::server::janus::testing {
namespace {

constexpr std::chrono::seconds kBound{60};
/// Nobody is to wait for a silence: whoever hangs up says so.
constexpr std::chrono::minutes kSilence{10};
/// What our own engine calls the channel it opens; the echo comes back on the same.
constexpr const char* kChannel = "sotto";

/// A running gst-launch line; its fakesink named "out", if any, feeds a track.
class Line {
 public:
  explicit Line(const std::string& text) {
    g_autoptr(GError) error = nullptr;
    pipeline_ = GstPtr<GstElement>::sink(gst_parse_launch(text.c_str(), &error));
    EXPECT_EQ(error, nullptr) << error->message;
    use_monotonic_clock(GST_PIPELINE(pipeline_.get()));
  }
  ~Line() {
    tap_.reset();
    gst_element_set_state(pipeline_.get(), GST_STATE_NULL);
  }
  void feed(const rtc::Codec& codec, std::shared_ptr<rtc::FrameReceiver> receiver) {
    const auto out =
        GstPtr<GstElement>::adopt(gst_bin_get_by_name(GST_BIN(pipeline_.get()), "out"));
    tap_ = std::make_unique<FrameTap>(codec, std::move(receiver));
    tap_->probe(out.get());
  }
  void play() { gst_element_set_state(pipeline_.get(), GST_STATE_PLAYING); }
  bool to_end() {
    play();
    const auto bus = GstPtr<GstBus>::adopt(gst_element_get_bus(pipeline_.get()));
    const auto message = GstPtr<GstMessage>::adopt(gst_bus_timed_pop_filtered(
        bus.get(), 60 * GST_SECOND,
        static_cast<GstMessageType>(GST_MESSAGE_EOS | GST_MESSAGE_ERROR)));
    return message && GST_MESSAGE_TYPE(message.get()) == GST_MESSAGE_EOS;
  }

 private:
  GstPtr<GstElement> pipeline_;
  std::unique_ptr<FrameTap> tap_;
};

/// The payloads that passed, to compare what went in with what came out.
class Payloads final : public rtc::FrameReceiver {
 public:
  explicit Payloads(std::shared_ptr<rtc::FrameReceiver> next = nullptr) : next_(std::move(next)) {}
  void on_frame(rtc::FramePtr frame) override {
    {
      const std::lock_guard lock(mutex_);
      ++frames_;
      for (const ByteView packet : frame->packets) {
        const auto header = rtc::rtp::parse(packet);
        if (!header) continue;
        seen_.insert(std::string(as_text(rtc::rtp::payload_of(packet, *header))));
      }
    }
    if (next_ != nullptr) next_->on_frame(std::move(frame));
  }
  std::size_t frames() const {
    const std::lock_guard lock(mutex_);
    return frames_;
  }
  std::set<std::string> seen() const {
    const std::lock_guard lock(mutex_);
    return seen_;
  }

 private:
  std::shared_ptr<rtc::FrameReceiver> next_;
  mutable std::mutex mutex_;  // Protects what follows.
  std::size_t frames_ = 0;
  std::set<std::string> seen_;
};

/// The browser's part, played by the same engine.
class Caller final : public rtc::PeerListener {
 public:
  explicit Caller(MainContext& loop) {
    rtc::PeerOptions options;
    options.label = "caller";
    options.loopback_candidates = true;
    options.connect_deadline = kBound;
    options.silence_deadline = kSilence;
    peer = make_webrtcbin_peer(loop, *this, std::move(options));
  }
  ~Caller() override { peer->close(); }
  void on_connected() override { connected = true; }
  void on_closed(rtc::CloseReason, const std::string&) override { closed = true; }
  void on_data(const std::string& label, bool, ByteView bytes) override {
    data[label] = std::string(as_text(bytes));
  }

  std::shared_ptr<rtc::Peer> peer;
  bool connected = false;
  bool closed = false;
  std::map<std::string, std::string> data;
};

rtc::Codec vp8(int pt) { return {rtc::MediaKind::kVideo, "VP8", pt, 90000, 1, {}}; }

class Media : public ::testing::Test {
 protected:
  Media() {
    gst_init(nullptr, nullptr);
    world.config.data_dir = data.path();
    world.config.rtc.min_port = 0;
    world.config.rtc.max_port = 0;
    world.config.rtc.connect_deadline = kBound;
    world.config.rtc.silence_deadline = kSilence;
    gateway = std::make_unique<Gateway>(
        world.context, [this](rtc::PeerOptions options, rtc::PeerListener& listener) {
          return make_webrtcbin_peer(world.loop, listener, std::move(options));
        });
    session = client->create(*gateway);
  }
  ~Media() override {
    gateway.reset();
    // Posted closures hold the last references to peers.
    while (g_main_context_iteration(nullptr, FALSE) != FALSE) {
    }
    wait_for_teardown(kBound);
  }
  bool until(const std::function<bool()>& done) {
    return run_until(
        world.loop,
        [&] {
          // Frames come on other threads and wake nobody here.
          return done();
        },
        kBound);
  }
  /// The event with this transaction.
  Json answer_to(const Json& ack) {
    Json found;
    until([&] {
      for (const Json& entry : client->log) {
        if (entry.value("janus", "") == "event" &&
            entry.value("transaction", "") == ack["transaction"]) {
          found = entry;
        }
      }
      return !found.is_null();
    });
    return found;
  }
  /// Watches a mountpoint as janus.js does; returns what arrives.
  std::shared_ptr<Payloads> watch(Caller& caller, std::uint64_t handle, std::uint64_t id) {
    const Json offer =
        answer_to(client->message(*gateway, session, handle, {{"request", "watch"}, {"id", id}}));
    EXPECT_TRUE(offer.contains("jsep")) << offer;
    if (!offer.contains("jsep")) return nullptr;
    const auto sdp = rtc::sdp::parse(offer["jsep"]["sdp"].get<std::string>());
    std::vector<rtc::MediaPlan> plans;
    for (const auto& section : sdp->media) {
      plans.push_back(
          {section.mid(), section.kind, rtc::Direction::kRecvOnly, section.codecs().at(0), {}});
    }
    auto received = std::make_shared<Payloads>();
    std::string answer;
    caller.peer->answer(offer["jsep"]["sdp"], plans, [&](Result<std::string> made) {
      EXPECT_TRUE(made) << made.error().message;
      answer = made ? *made : "failed";
    });
    EXPECT_TRUE(until([&] { return !answer.empty(); }));
    caller.peer->set_receiver(plans[0].mid, received);
    client->message(*gateway, session, handle, {{"request", "start"}},
                    {{"type", "answer"}, {"sdp", answer}});
    EXPECT_TRUE(until([&] { return caller.connected; }));
    return received;
  }

  test::TempDir data;
  World world;
  /// Wakes the loop, so that conditions about other threads are looked at.
  MainContext::Timer tick = world.loop.every(std::chrono::milliseconds(20), [] {});
  std::unique_ptr<Gateway> gateway;
  std::shared_ptr<Client> client = std::make_shared<Client>();
  std::uint64_t session = 0;
};

TEST_F(Media, EchoComesBackUntouched) {
  const auto handle = client->attach(*gateway, session, "janus.plugin.echotest");
  Caller caller(world.loop);
  std::string offer;
  caller.peer->offer({{"0", rtc::MediaKind::kVideo, rtc::Direction::kSendRecv, vp8(96), "s"}}, true,
                     [&](Result<std::string> made) {
                       ASSERT_TRUE(made) << made.error().message;
                       offer = *made;
                     });
  ASSERT_TRUE(until([&] { return !offer.empty(); }));
  const Json event =
      answer_to(client->message(*gateway, session, handle, {{"audio", true}, {"video", true}},
                                {{"type", "offer"}, {"sdp", offer}}));
  ASSERT_TRUE(event.contains("jsep")) << event;
  caller.peer->accept_answer(event["jsep"]["sdp"],
                             [](Result<> done) { ASSERT_TRUE(done) << done.error().message; });
  ASSERT_TRUE(until([&] { return caller.connected && !client->last("webrtcup").is_null(); }));

  auto track = rtc::Track::create(vp8(96));
  auto sent = std::make_shared<Payloads>(track);
  auto received = std::make_shared<Payloads>();
  caller.peer->set_receiver("0", received);
  const auto subscription =
      track->subscribe(caller.peer->sink("0"), caller.peer->subscribe_options("0"));
  {
    Line camera(
        "videotestsrc is-live=true pattern=ball ! video/x-raw,width=160,height=120,framerate=15/1 "
        "! "
        "vp8enc deadline=1 keyframe-max-dist=15 ! rtpvp8pay pt=96 ! fakesink name=out sync=false");
    camera.feed(vp8(96), sent);
    camera.play();
    ASSERT_TRUE(until([&] { return received->frames() >= 20; }));
    ASSERT_TRUE(until([&] { return client->last("media").value("receiving", false); }));

    client->message(*gateway, session, handle, {{"video", false}});
    // What is on its way still arrives; then nothing does while the client goes on sending.
    std::size_t quiet_from = 0;
    std::size_t sent_then = 0;
    ASSERT_TRUE(until([&] {
      if (received->frames() != quiet_from) {
        quiet_from = received->frames();
        sent_then = sent->frames();
      }
      return sent->frames() >= sent_then + 15;
    }));
    client->message(*gateway, session, handle, {{"video", true}});
    ASSERT_TRUE(until([&] { return received->frames() > quiet_from; }));
  }
  const auto out = sent->seen();
  for (const auto& payload : received->seen()) {
    ASSERT_EQ(out.count(payload), 1U) << "a payload of " << payload.size() << " bytes was altered";
  }

  ASSERT_TRUE(
      until([&] { return caller.peer->send_data(kChannel, true, as_bytes("hello")).has_value(); }));
  ASSERT_TRUE(until([&] { return caller.data.count(kChannel) != 0; }));
  EXPECT_EQ(caller.data[kChannel], "Janus EchoTest here! You wrote: hello");

  client->send(*gateway, {{"janus", "hangup"}, {"session_id", session}, {"handle_id", handle}});
  EXPECT_EQ(client->last("hangup")["reason"], "Janus API");
  EXPECT_TRUE(until([&] { return caller.closed; }));
}

TEST_F(Media, AnRtpMountpointIsWatchedAndSwitched) {
  const auto handle = client->attach(*gateway, session, "janus.plugin.streaming");
  const auto create = [&](std::uint64_t id) {
    const Json made = client->message(
        *gateway, session, handle,
        {{"request", "create"},
         {"type", "rtp"},
         {"id", id},
         {"media", {{{"type", "video"}, {"codec", "vp8"}, {"pt", 100}, {"port", 0}}}}});
    return made["plugindata"]["data"]["stream"]["ports"][0]["port"].get<int>();
  };
  const auto sender = [](int port, const char* pattern) {
    return std::string("videotestsrc is-live=true pattern=") + pattern +
           " ! video/x-raw,width=160,height=120,framerate=15/1 ! vp8enc deadline=1 "
           "keyframe-max-dist=15 ! rtpvp8pay pt=100 ! udpsink host=127.0.0.1 sync=false port=" +
           std::to_string(port);
  };
  const int first_port = create(7);
  const int second_port = create(8);
  Line first(sender(first_port, "ball"));
  first.play();
  Caller caller(world.loop);
  const auto received = watch(caller, handle, 7);
  ASSERT_NE(received, nullptr);
  ASSERT_TRUE(until([&] { return received->frames() >= 15; }));
  EXPECT_EQ(client->last("event")["plugindata"]["data"]["result"]["status"], "started");
  const Json info = client->message(*gateway, session, handle, {{"request", "info"}, {"id", 7}});
  EXPECT_EQ(info["plugindata"]["data"]["info"]["viewers"], 1);
  EXPECT_LT(info["plugindata"]["data"]["info"]["media"][0]["age_ms"], 5000);

  Line second(sender(second_port, "snow"));
  second.play();
  const Json switched =
      answer_to(client->message(*gateway, session, handle, {{"request", "switch"}, {"id", 8}}));
  EXPECT_EQ(switched["plugindata"]["data"]["result"]["switched"], "ok") << switched;
  const std::size_t before = received->frames();
  ASSERT_TRUE(until([&] { return received->frames() >= before + 30; }));

  client->message(*gateway, session, handle, {{"request", "destroy"}, {"id", 8}});
  EXPECT_EQ(client->last("hangup")["reason"], "Close PC");
  EXPECT_TRUE(until([&] { return caller.closed; }));
}

class Files : public Media, public ::testing::WithParamInterface<const char*> {
 protected:
  /// Two seconds of VP8 and Opus.
  void record() {
    std::filesystem::create_directories(data.path() / "media");
    Line writer(
        "webmmux name=mux ! filesink location=" + (data.path() / "media" / "clip.webm").string() +
        " videotestsrc num-buffers=30 pattern=ball ! video/x-raw,width=160,height=120,"
        "framerate=15/1 ! vp8enc deadline=1 keyframe-max-dist=15 ! mux. "
        "audiotestsrc num-buffers=100 ! audio/x-raw,rate=48000 ! opusenc ! mux.");
    ASSERT_TRUE(writer.to_end());
  }
};

TEST_P(Files, AreWatched) {
  const std::string type = GetParam();
  record();
  const auto handle = client->attach(*gateway, session, "janus.plugin.streaming");
  const Json made = client->message(
      *gateway, session, handle,
      {{"request", "create"}, {"type", type}, {"id", 3}, {"filename", "clip.webm"}});
  ASSERT_EQ(made["plugindata"]["data"]["streaming"], "created") << made;
  Caller caller(world.loop);
  const auto received = watch(caller, handle, 3);
  ASSERT_NE(received, nullptr);
  if (type == "live") {
    // More than the file holds: it begins again.
    ASSERT_TRUE(until([&] { return received->frames() >= 45; }));
  } else {
    ASSERT_TRUE(until([&] { return received->frames() >= 20; }));
    // A file that is at its end sends its viewer away.
    ASSERT_TRUE(until([&] { return !client->last("hangup").is_null(); }));
  }
}
INSTANTIATE_TEST_SUITE_P(Types, Files, ::testing::Values("live", "ondemand"));

}  // namespace
}  // namespace sotto::server::janus::testing
