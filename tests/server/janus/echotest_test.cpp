// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "server/janus/negotiation.h"
#include "tests/server/janus/support.h"

#include <gtest/gtest.h>

namespace sotto::server::janus::testing {
namespace {

class Echo : public ::testing::Test {
 protected:
  Echo() {
    session = client->create(gateway);
    handle = client->attach(gateway, session, "janus.plugin.echotest");
  }
  Json send(Json body, Json jsep = nullptr) {
    EXPECT_EQ(client->message(gateway, session, handle, std::move(body), std::move(jsep))["janus"],
              "ack");
    return client->last("event")["plugindata"]["data"];
  }
  void call() {
    EXPECT_EQ(send({{"audio", true}, {"video", true}},
                   {{"type", "offer"}, {"sdp", FakePeer::kSdp}})["result"],
              "ok");
    world.peer()->connect();
  }

  World world;
  Gateway gateway{world.context, world.factory()};
  std::shared_ptr<Client> client = std::make_shared<Client>();
  std::uint64_t session = 0;
  std::uint64_t handle = 0;
};

TEST_F(Echo, SettingsAreChecked) {
  EXPECT_EQ(send({{"audio", true}})["result"], "ok");
  EXPECT_EQ(send({{"substream", 1}, {"temporal", 2}, {"fallback", 250000}})["result"], "ok");
  EXPECT_EQ(send(Json::object())["error_code"], 413);
  EXPECT_EQ(send({{"nonsense", 1}})["error_code"], 413);
  EXPECT_EQ(send({{"audio", "yes"}})["error_code"], 413);
  EXPECT_EQ(send({{"bitrate", -1}})["error_code"], 413);
  EXPECT_EQ(send({{"substream", 3}})["error_code"], 413);
  EXPECT_EQ(send({{"videocodec", 1}})["error_code"], 413);
  EXPECT_EQ(send({{"record", "yes"}})["error_code"], 413);
}

TEST_F(Echo, WhatIsSealedIsNotRecordedWhoeverAsksFirst) {
  const std::string marked = std::string(FakePeer::kSdp) + "a=x-sotto-e2ee:sframe\r\n";
  for (const Json& offer : {Json{{"type", "offer"}, {"sdp", FakePeer::kSdp}, {"e2ee", true}},
                            Json{{"type", "offer"}, {"sdp", marked}}}) {
    EXPECT_EQ(send({{"record", true}})["result"], "ok") << "nothing is known of the media yet";
    const auto refused = send({{"video", true}}, offer);
    EXPECT_EQ(refused["error_code"], 413);
    EXPECT_NE(refused["error"].get<std::string>().find("end to end"), std::string::npos);
    EXPECT_EQ(send({{"record", true}})["error_code"], 413);
    // In the clear again: a new offer is a new word.
    send({{"video", true}}, {{"type", "offer"}, {"sdp", FakePeer::kSdp}});
  }
}

TEST_F(Echo, LossBeyondTheThresholdIsASlowLink) {
  world.config.janus.slowlink_threshold = 4;
  call();
  const auto told = [&](bool uplink) {
    std::vector<Json> events;
    for (const Json& entry : client->log) {
      if (entry.value("janus", "") == "slowlink" && entry["uplink"] == uplink)
        events.push_back(entry);
    }
    return events;
  };
  world.peer()->report.losses = {{"0", 3, 10}};
  ASSERT_TRUE(run_until(world.loop, [&] { return !told(false).empty(); }));
  EXPECT_EQ(told(false)[0]["mid"], "0");
  EXPECT_EQ(told(false)[0]["media"], "video");
  EXPECT_EQ(told(false)[0]["lost"], 10);
  EXPECT_EQ(told(false)[0]["sender"], handle);
  EXPECT_TRUE(told(true).empty()) << "three are not four";
  world.peer()->report.losses = {{"0", 7, 10}};
  ASSERT_TRUE(run_until(world.loop, [&] { return !told(true).empty(); }));
  EXPECT_EQ(told(true)[0]["lost"], 4) << "since the last look";
  EXPECT_EQ(told(false).size(), 1U) << "nothing was lost since";
  // A report that takes some back, and then nothing new.
  world.peer()->report.losses = {{"0", 5, 9}};
  client->send(gateway, {{"janus", "hangup"}, {"session_id", session}, {"handle_id", handle}});
  EXPECT_EQ(client->last("hangup")["reason"], "Janus API");
}

TEST_F(Echo, WithoutAThresholdNobodyIsToldOfLoss) {
  call();
  world.peer()->report.losses = {{"0", 1000, 1000}};
  world.peer()->receivers["0"]->on_frame(std::make_shared<rtc::Frame>());
  ASSERT_TRUE(run_until(world.loop, [&] { return client->last("media")["receiving"] == false; }))
      << "a second and more";
  EXPECT_TRUE(client->last("slowlink").is_null());
}

TEST_F(Echo, RecordingIsForThoseWhoManage) {
  EXPECT_EQ(send({{"record", true}})["result"], "ok") << "begins with the media";
  EXPECT_EQ(send({{"record", false}})["result"], "ok");
  world.config.janus.open = false;
  client->send(gateway, {{"janus", "message"},
                         {"session_id", session},
                         {"handle_id", handle},
                         {"token", "good-token"},
                         {"body", {{"record", true}}}});
  EXPECT_EQ(client->last("event")["plugindata"]["data"]["error_code"], 413)
      << "a viewer's token writes to no disk";
}

TEST_F(Echo, DoneComesBeforeHangup) {
  call();
  client->log.clear();
  world.peer()->end(rtc::CloseReason::kRemote);
  EXPECT_EQ(client->kinds(), (std::vector<std::string>{"event", "hangup"}));
  EXPECT_EQ(client->last("event")["plugindata"]["data"],
            (Json{{"echotest", "event"}, {"result", "done"}}));
  EXPECT_EQ(client->last("hangup")["reason"], "DTLS alert");
  call();  // The handle may call again.
}

TEST_F(Echo, BitrateBecomesALimitForTheSender) {
  call();
  send({{"bitrate", 128000}});
  EXPECT_EQ(world.peer()->bitrate, 128000U);
  send({{"bitrate", 0}});
  EXPECT_EQ(world.peer()->bitrate, 0U);
}

TEST_F(Echo, VideoThatIsSwitchedOnAgainAsksForAKeyframe) {
  call();
  send({{"video", false}});
  EXPECT_TRUE(world.peer()->keyframes.empty());
  send({{"video", true}});
  EXPECT_EQ(world.peer()->keyframes, (std::vector<std::string>{"0"}));
}

TEST_F(Echo, TextComesBackWithAGreetingBytesAsTheyAre) {
  call();
  world.peer()->say("JanusDataChannel", true, "hello");
  world.peer()->say("raw", false, std::string("\0\1", 2));
  ASSERT_EQ(world.peer()->sent.size(), 2U);
  EXPECT_EQ(world.peer()->sent[0].label, "JanusDataChannel");
  EXPECT_TRUE(world.peer()->sent[0].text);
  EXPECT_EQ(world.peer()->sent[0].bytes, "Janus EchoTest here! You wrote: hello");
  EXPECT_FALSE(world.peer()->sent[1].text);
  EXPECT_EQ(world.peer()->sent[1].bytes, std::string("\0\1", 2));
}

TEST_F(Echo, MediaEventsTellWhatArrives) {
  call();
  const auto peer = world.peer();
  ASSERT_EQ(peer->receivers.count("0"), 1U);
  auto frame = std::make_shared<rtc::Frame>();
  frame->keyframe = true;
  peer->receivers["0"]->on_frame(frame);
  ASSERT_TRUE(run_until(world.loop, [&] { return !client->last("media").is_null(); }));
  EXPECT_EQ(client->last("media")["mid"], "0");
  EXPECT_EQ(client->last("media")["type"], "video");
  EXPECT_EQ(client->last("media")["receiving"], true);
  ASSERT_TRUE(run_until(world.loop, [&] { return client->last("media")["receiving"] == false; }));
}

TEST(MirrorOffer, TakesTheCodecAsked) {
  std::string sdp = FakePeer::kSdp;
  sdp.replace(sdp.find("SAVPF 96"), 8, "SAVPF 96 98");
  sdp += "a=rtpmap:98 VP9/90000\r\na=fmtp:98 profile-id=0\r\n";
  EXPECT_EQ(mirror_offer(sdp, {})->at(0).codec.name, "VP8");
  EXPECT_EQ(mirror_offer(sdp, {{}, "vp9"})->at(0).codec.payload_type, 98);
  EXPECT_EQ(mirror_offer(sdp, {{}, "av1"})->at(0).codec.name, "VP8");
  EXPECT_EQ(mirror_offer(sdp, {})->at(0).direction, rtc::Direction::kSendRecv);
  sdp.replace(sdp.find("a=sendrecv"), 10, "a=sendonly");
  EXPECT_EQ(mirror_offer(sdp, {})->at(0).direction, rtc::Direction::kRecvOnly);
  EXPECT_FALSE(mirror_offer("garbage", {}));
}

}  // namespace
}  // namespace sotto::server::janus::testing
