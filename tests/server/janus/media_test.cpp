// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// The echo test, and what the streaming plugin shows, with real media.
#include "tests/server/janus/media.h"

namespace sotto::server::janus::testing {
namespace {

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

    const Json recording = answer_to(
        client->message(*gateway, session, handle, {{"record", true}, {"filename", "echo/one"}}));
    EXPECT_EQ(recording["plugindata"]["data"]["result"], "ok") << recording;
    const std::size_t recorded_from = sent->frames();
    ASSERT_TRUE(until([&] { return sent->frames() >= recorded_from + 30; }));
    client->message(*gateway, session, handle, {{"record", false}});
    EXPECT_EQ(recorded("echo/one.webm"), "VP8");
    const Json outside = answer_to(
        client->message(*gateway, session, handle, {{"record", true}, {"filename", "../../one"}}));
    EXPECT_EQ(outside["plugindata"]["data"]["error_code"], 413) << outside;

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

  const auto record = [&](const char* action, Json media) {
    Json body{{"request", "recording"}, {"id", 7}, {"action", action}};
    if (!media.is_null()) body["media"] = std::move(media);
    return client->message(*gateway, session, handle, std::move(body))["plugindata"]["data"];
  };
  EXPECT_EQ(record("start", {{{"mid", "0"}, {"filename", "../out"}}})["error_code"], 459);
  EXPECT_EQ(record("start", {{{"mid", "9"}, {"filename", "nine"}}})["error_code"], 454);
  EXPECT_EQ(record("start", {{{"mid", "0"}, {"filename", "cam/one"}}})["streaming"], "ok");
  EXPECT_EQ(record("start", {{{"mid", "0"}, {"filename", "cam/two"}}})["error_code"], 459)
      << "recording already";
  const std::size_t recorded_from = received->frames();
  ASSERT_TRUE(until([&] { return received->frames() >= recorded_from + 20; }));
  EXPECT_EQ(record("pause", nullptr)["streaming"], "ok");
  EXPECT_EQ(record("resume", nullptr)["streaming"], "ok");
  EXPECT_EQ(record("stop", {{{"mid", "0"}}})["streaming"], "ok");
  EXPECT_EQ(recorded("cam/one.webm"), "VP8");

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
