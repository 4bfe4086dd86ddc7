// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// The core of the Janus API, row by row of its error table.
#include "tests/server/janus/support.h"

#include <gtest/gtest.h>

namespace sotto::server::janus::testing {
namespace {

constexpr const char* kEcho = "janus.plugin.echotest";

class Core : public ::testing::Test {
 protected:
  void SetUp() override { restart(); }
  void restart() { gateway = std::make_unique<Gateway>(world.context, world.factory()); }
  Json send(Json body) { return client->send(*gateway, std::move(body)); }

  World world;
  std::unique_ptr<Gateway> gateway;
  std::shared_ptr<Client> client = std::make_shared<Client>();
};

TEST_F(Core, InfoAndPingNeedNoSecret) {
  world.config.janus.open = false;
  const Json info = send({{"janus", "info"}, {"transaction", "a"}});
  EXPECT_EQ(info["janus"], "server_info");
  EXPECT_EQ(info["transaction"], "a");
  EXPECT_EQ(info["name"], "sotto");
  EXPECT_TRUE(info["plugins"].contains(kEcho));
  EXPECT_EQ(info["plugins"][kEcho]["version"], 1);
  EXPECT_TRUE(info["data_channels"].get<bool>());
  const Json pong = send({{"janus", "ping"}, {"transaction", "b"}});
  EXPECT_EQ(pong, (Json{{"janus", "pong"}, {"transaction", "b"}}));
}

TEST_F(Core, CreateAnswersWithAnIdAndNoSession) {
  const Json reply = send({{"janus", "create"}, {"transaction", "x"}});
  EXPECT_EQ(reply["janus"], "success");
  EXPECT_EQ(reply["transaction"], "x");
  EXPECT_FALSE(reply.contains("session_id"));
  const auto id = reply["data"]["id"].get<std::uint64_t>();
  EXPECT_GT(id, 0U);
  EXPECT_LT(id, std::uint64_t{1} << 53U);
}

TEST_F(Core, CreateTakesAWantedIdOnce) {
  EXPECT_EQ(send({{"janus", "create"}, {"id", 77}})["data"]["id"], 77);
  EXPECT_EQ(code_of(send({{"janus", "create"}, {"id", 77}})), 468);
  EXPECT_EQ(send({{"janus", "create"}, {"id", 77}})["session_id"], 77);
  EXPECT_EQ(code_of(send({{"janus", "create"}, {"id", "77"}})), 467);
  EXPECT_EQ(code_of(send({{"janus", "create"}, {"id", -1}})), 467);
  EXPECT_EQ(code_of(send({{"janus", "create"}, {"id", 0}})), 467);
  EXPECT_EQ(code_of(send({{"janus", "create"}, {"id", std::uint64_t{1} << 53U}})), 467);
}

TEST_F(Core, TextThatIsNoJsonIs454WithoutTransaction) {
  for (const char* text : {"", "   ", "garbage", "{", "{\"janus\":\"info\"", "{\"a\":1,}", "nul",
                           "{\"janus\":\"info\",\"transaction\":\"\xff\xfe\"}",
                           "{\"janus\":\"info\",\"janus\":\"info\",\"transaction\":\"t\"}",
                           "/* c */ {\"janus\":\"info\",\"transaction\":\"t\"}"}) {
    const auto replies = client->send_text(*gateway, text);
    ASSERT_EQ(replies.size(), 1U) << text;
    EXPECT_EQ(code_of(replies[0]), 454) << text;
    EXPECT_FALSE(replies[0].contains("transaction"));
  }
}

TEST_F(Core, JsonThatIsNoObjectIs455) {
  for (const char* text : {"[]", "1", "null", "\"janus\"", "true"}) {
    EXPECT_EQ(code_of(client->send_text(*gateway, text).at(0)), 455) << text;
  }
}

TEST_F(Core, DeepJsonIsRefusedWithoutRecursion) {
  const std::string deep(100'000, '[');
  EXPECT_EQ(code_of(client->send_text(*gateway, deep).at(0)), 454);
  std::string nested = R"({"janus":"info","transaction":"t","x":)";
  for (int i = 0; i < 40; ++i) nested += "{\"x\":";
  nested += "1";
  for (int i = 0; i < 41; ++i) nested += "}";
  EXPECT_EQ(code_of(client->send_text(*gateway, nested).at(0)), 454);
}

TEST_F(Core, EveryTruncationOfARequestIsAnError) {
  const std::string whole =
      R"({"janus":"create","transaction":"quoted \" brace }","apisecret":"x"})";
  for (std::size_t length = 0; length < whole.size(); ++length) {
    for (const Json& reply : client->send_text(*gateway, whole.substr(0, length))) {
      EXPECT_EQ(reply["janus"], "error") << length;
    }
  }
  EXPECT_EQ(gateway->sessions(), 0U);
  EXPECT_EQ(client->send_text(*gateway, whole).at(0)["janus"], "success");
}

TEST_F(Core, SeveralObjectsInOneMessageAreHandledInOrder) {
  const auto replies = client->send_text(
      *gateway,
      "{\"janus\":\"ping\",\"transaction\":\"1}{\"} \n {\"janus\":\"info\",\"transaction\":\"2\"}"
      "{\"janus\":\"ping\",\"transaction\":\"3\"}[");
  ASSERT_EQ(replies.size(), 4U);
  EXPECT_EQ(replies[0]["transaction"], "1}{");
  EXPECT_EQ(replies[1]["janus"], "server_info");
  EXPECT_EQ(replies[2]["transaction"], "3");
  EXPECT_EQ(code_of(replies[3]), 454);
  std::string many;
  for (int i = 0; i < 65; ++i) many += R"({"janus":"ping","transaction":"t"})";
  const auto refused = client->send_text(*gateway, many);
  ASSERT_EQ(refused.size(), 1U);
  EXPECT_EQ(code_of(refused[0]), 454);
}

TEST_F(Core, MandatoryMembersComeBeforeAuthorisation) {
  world.config.janus.open = false;
  EXPECT_EQ(code_of(client->send_text(*gateway, R"({"janus":"create"})").at(0)), 456);
  EXPECT_EQ(code_of(client->send_text(*gateway, R"({"transaction":"t"})").at(0)), 456);
  EXPECT_EQ(code_of(send({{"janus", 1}, {"transaction", "t"}})), 467);
  EXPECT_EQ(code_of(send({{"janus", "create"}, {"transaction", 12}})), 467);
  EXPECT_EQ(code_of(send({{"janus", "keepalive"}, {"session_id", "1"}})), 467);
  // Scope before the secret, the secret before the session.
  EXPECT_EQ(code_of(send({{"janus", "attach"}})), 457);
  EXPECT_EQ(code_of(send({{"janus", "nonsense"}})), 457);
  EXPECT_EQ(code_of(send({{"janus", "create"}})), 403);
  EXPECT_EQ(code_of(send({{"janus", "keepalive"}, {"session_id", 5}})), 403);
}

TEST_F(Core, SessionThenHandleThenVerb) {
  EXPECT_EQ(code_of(send({{"janus", "nonsense"}, {"session_id", 5}})), 458);
  const auto session = client->create(*gateway);
  EXPECT_EQ(code_of(send({{"janus", "nonsense"}, {"session_id", session}, {"handle_id", 9}})), 459);
  const Json unknown = send({{"janus", "nonsense"}, {"session_id", session}});
  EXPECT_EQ(code_of(unknown), 453);
  EXPECT_EQ(unknown["session_id"], session);
  const auto handle = client->attach(*gateway, session, kEcho);
  EXPECT_EQ(code_of(send({{"janus", "nonsense"}, {"session_id", session}, {"handle_id", handle}})),
            453);
  EXPECT_EQ(code_of(send({{"janus", "nonsense"}, {"session_id", 0}})), 458);
  EXPECT_EQ(code_of(send({{"janus", "ping"}, {"session_id", session}, {"handle_id", 0}})), 459);
}

TEST_F(Core, VerbsStayInTheirScope) {
  const auto session = client->create(*gateway);
  const auto handle = client->attach(*gateway, session, kEcho);
  for (const char* verb : {"message", "trickle", "hangup", "detach", "create"}) {
    EXPECT_EQ(code_of(send({{"janus", verb}, {"session_id", session}})), 457) << verb;
  }
  for (const char* verb : {"keepalive", "attach", "destroy", "claim", "create"}) {
    EXPECT_EQ(code_of(send({{"janus", verb}, {"session_id", session}, {"handle_id", handle}})), 457)
        << verb;
  }
  for (const char* verb : {"keepalive", "attach", "destroy", "claim", "message", "detach"}) {
    EXPECT_EQ(code_of(send({{"janus", verb}})), 457) << verb;
  }
}

TEST_F(Core, PathAndBodyMustNotContradict) {
  const auto session = client->create(*gateway);
  const auto ask = [&](Json body, std::optional<std::uint64_t> path_session,
                       std::optional<std::uint64_t> path_handle) {
    Json reply;
    gateway->receive(dump(body), {client, "192.0.2.1", {}, path_session, path_handle}, false,
                     [&](Json given) { reply = std::move(given); });
    return reply;
  };
  const Json keepalive{{"janus", "keepalive"}, {"transaction", "t"}};
  EXPECT_EQ(ask(keepalive, session, {})["janus"], "ack");
  Json both = keepalive;
  both["session_id"] = session;
  EXPECT_EQ(ask(both, session, {})["janus"], "ack");
  EXPECT_EQ(code_of(ask(both, session + 1, {})), 457);
  both["handle_id"] = 3;
  EXPECT_EQ(code_of(ask(both, session, 4)), 457);
  EXPECT_EQ(code_of(ask(keepalive, session, 0)), 459);
}

TEST_F(Core, AttachAnswersWithBothIds) {
  const auto session = client->create(*gateway);
  const Json reply = send(
      {{"janus", "attach"}, {"session_id", session}, {"plugin", kEcho}, {"opaque_id", "mine"}});
  EXPECT_EQ(reply["janus"], "success");
  EXPECT_EQ(reply["session_id"], session);
  EXPECT_GT(reply["data"]["id"].get<std::uint64_t>(), 0U);
  EXPECT_EQ(code_of(send({{"janus", "attach"}, {"session_id", session}})), 456);
  EXPECT_EQ(code_of(send({{"janus", "attach"}, {"session_id", session}, {"plugin", 1}})), 467);
  EXPECT_EQ(
      code_of(send({{"janus", "attach"}, {"session_id", session}, {"plugin", "janus.plugin.x"}})),
      460);
}

TEST_F(Core, HandlesPerSessionAreBounded) {
  world.config.janus.max_handles_per_session = 3;
  const auto session = client->create(*gateway);
  for (int i = 0; i < 3; ++i) EXPECT_NE(client->attach(*gateway, session, kEcho), 0U);
  EXPECT_EQ(code_of(send({{"janus", "attach"}, {"session_id", session}, {"plugin", kEcho}})), 461);
}

TEST_F(Core, TenThousandSessionsFromOneAddress) {
  world.config.janus.max_sessions_per_address = 200;
  std::size_t made = 0;
  for (int i = 0; i < 10'000; ++i) {
    const Json reply = send({{"janus", "create"}});
    if (reply["janus"] == "success") {
      ++made;
    } else {
      ASSERT_EQ(code_of(reply), 472);
    }
    client->log.clear();
  }
  EXPECT_EQ(made, 200U);
  auto other = std::make_shared<Client>();
  other->address = "192.0.2.2";
  EXPECT_NE(other->create(*gateway), 0U) << "another address is not punished";
  gateway->outlet_gone(*client);
  EXPECT_EQ(gateway->sessions(), 1U);
  EXPECT_NE(client->create(*gateway), 0U) << "what ended counts no more";
}

TEST_F(Core, KeepaliveDestroyDetach) {
  const auto session = client->create(*gateway);
  const auto handle = client->attach(*gateway, session, kEcho);
  const Json kept = send({{"janus", "keepalive"}, {"session_id", session}, {"transaction", "k"}});
  EXPECT_EQ(kept, (Json{{"janus", "ack"}, {"session_id", session}, {"transaction", "k"}}));
  client->log.clear();
  send({{"janus", "detach"}, {"session_id", session}, {"handle_id", handle}});
  EXPECT_EQ(client->kinds(), (std::vector<std::string>{"success", "detached"}));
  EXPECT_EQ(client->last("detached")["sender"], handle);
  EXPECT_EQ(client->last("detached")["session_id"], session);
  EXPECT_FALSE(client->last("detached").contains("transaction"));
  EXPECT_EQ(code_of(send({{"janus", "detach"}, {"session_id", session}, {"handle_id", handle}})),
            459);
  client->log.clear();
  const Json destroyed = send({{"janus", "destroy"}, {"session_id", session}});
  EXPECT_EQ(destroyed["janus"], "success");
  EXPECT_EQ(client->log.size(), 1U) << "the owner is not told";
  EXPECT_EQ(code_of(send({{"janus", "keepalive"}, {"session_id", session}})), 458);
}

TEST_F(Core, HandlesOfOneSessionAreNotThoseOfAnother) {
  const auto first = client->create(*gateway);
  const auto second = client->create(*gateway);
  const auto handle = client->attach(*gateway, first, kEcho);
  EXPECT_EQ(code_of(client->message(*gateway, second, handle, {{"audio", true}})), 459);
}

TEST_F(Core, MessagesAreCheckedBeforeThePluginSeesThem) {
  const auto session = client->create(*gateway);
  const auto handle = client->attach(*gateway, session, kEcho);
  const Json base{{"janus", "message"}, {"session_id", session}, {"handle_id", handle}};
  EXPECT_EQ(code_of(send(base)), 456);
  Json request = base;
  request["body"] = "text";
  EXPECT_EQ(code_of(send(request)), 467);
  const auto with = [&](Json jsep) {
    Json asked = base;
    asked["body"] = {{"audio", true}};
    asked["jsep"] = std::move(jsep);
    return code_of(send(asked));
  };
  EXPECT_EQ(with({{"sdp", "v=0"}}), 456);
  EXPECT_EQ(with({{"type", 5}, {"sdp", "v=0"}}), 467);
  EXPECT_EQ(with({{"type", "pranswer"}, {"sdp", "v=0"}}), 464);
  EXPECT_EQ(with({{"type", "offer"}}), 456);
  EXPECT_EQ(with({{"type", "offer"}, {"sdp", 3}}), 467);
  EXPECT_EQ(with({{"type", "offer"}, {"sdp", "v=0"}, {"trickle", "yes"}}), 467);
  EXPECT_EQ(with({{"type", "offer"}, {"sdp", ""}}), 465);
  EXPECT_EQ(with({{"type", "offer"}, {"sdp", "garbage\r\nm=\r\n"}}), 465);
  EXPECT_EQ(with({{"type", "offer"}, {"sdp", std::string(1000, 'v')}}), 465);
  EXPECT_EQ(with({{"type", "answer"}, {"sdp", FakePeer::kSdp}}), 469);
  EXPECT_EQ(with("offer"), 455);
  EXPECT_TRUE(world.peers.empty());
}

TEST_F(Core, TricklesAreChecked) {
  const auto session = client->create(*gateway);
  const auto handle = client->attach(*gateway, session, kEcho);
  const Json base{{"janus", "trickle"}, {"session_id", session}, {"handle_id", handle}};
  const Json good{{"sdpMid", "0"}, {"sdpMLineIndex", 0}, {"candidate", "candidate:1"}};
  const auto with = [&](const char* key, Json value) {
    Json request = base;
    request[key] = std::move(value);
    return send(request);
  };
  EXPECT_EQ(code_of(send(base)), 456);
  Json both = base;
  both["candidate"] = good;
  both["candidates"] = {good};
  EXPECT_EQ(code_of(send(both)), 454);
  EXPECT_EQ(code_of(with("candidates", good)), 467);
  EXPECT_EQ(code_of(with("candidate", {{"candidate", "x"}})), 456);
  EXPECT_EQ(code_of(with("candidate", {{"sdpMid", "0"}})), 456);
  EXPECT_EQ(code_of(with("candidate", {{"sdpMid", 5}, {"candidate", "x"}})), 467);
  EXPECT_EQ(code_of(with("candidate", {{"sdpMLineIndex", "0"}, {"candidate", "x"}})), 467);
  EXPECT_EQ(code_of(with("candidate", {{"sdpMid", "0"}, {"candidate", 5}})), 467);
  EXPECT_EQ(with("candidate", good)["janus"], "ack");
  EXPECT_EQ(with("candidate", nullptr)["janus"], "ack");
  EXPECT_EQ(with("candidate", {{"completed", true}})["janus"], "ack");
  EXPECT_EQ(with("candidates", Json::array({good, {{"completed", true}}}))["janus"], "ack");
}

TEST_F(Core, CandidatesBeforeTheOfferReachThePeerInOrder) {
  const auto session = client->create(*gateway);
  const auto handle = client->attach(*gateway, session, kEcho);
  for (const char* text : {"candidate:1", "candidate:2"}) {
    send({{"janus", "trickle"},
          {"session_id", session},
          {"handle_id", handle},
          {"candidate", {{"sdpMid", "0"}, {"sdpMLineIndex", 0}, {"candidate", text}}}});
  }
  send({{"janus", "trickle"},
        {"session_id", session},
        {"handle_id", handle},
        {"candidate", {{"sdpMid", "1"}, {"sdpMLineIndex", 1}, {"candidate", "candidate:9"}}}});
  client->message(*gateway, session, handle, {{"video", true}},
                  {{"type", "offer"}, {"sdp", FakePeer::kSdp}});
  const auto peer = world.peer();
  ASSERT_NE(peer, nullptr);
  send({{"janus", "trickle"},
        {"session_id", session},
        {"handle_id", handle},
        {"candidate", {{"completed", true}}}});
  ASSERT_EQ(peer->candidates.size(), 3U);
  EXPECT_EQ(peer->candidates[0].candidate, "candidate:1");
  EXPECT_EQ(peer->candidates[1].candidate, "candidate:2");
  EXPECT_EQ(peer->candidates[2].candidate, "");
}

TEST_F(Core, EarlyCandidatesAreBoundedAndAgeOut) {
  CandidateQueue queue;
  const CandidateQueue::Clock::time_point start{};
  const std::chrono::seconds keep{45};
  for (int i = 0; i < 1000; ++i) queue.add({}, start, keep);
  EXPECT_EQ(queue.size(), CandidateQueue::kMaxCandidates);
  queue.add({}, start + std::chrono::seconds(46), keep);
  EXPECT_EQ(queue.size(), 1U);
  EXPECT_EQ(queue.take(start + std::chrono::seconds(92), keep).size(), 0U);
}

TEST_F(Core, AsynchronousAnswersFollowTheAck) {
  const auto session = client->create(*gateway);
  const auto handle = client->attach(*gateway, session, kEcho);
  client->log.clear();
  client->message(*gateway, session, handle, {{"video", true}},
                  {{"type", "offer"}, {"sdp", FakePeer::kSdp}, {"e2ee", true}});
  ASSERT_EQ(client->kinds(), (std::vector<std::string>{"ack", "event"}));
  EXPECT_EQ(client->log[0]["session_id"], session);
  EXPECT_FALSE(client->log[0]["hint"].get<std::string>().empty());
  const Json& event = client->log[1];
  EXPECT_EQ(event["transaction"], client->log[0]["transaction"]);
  EXPECT_EQ(event["sender"], handle);
  EXPECT_EQ(event["plugindata"]["plugin"], kEcho);
  EXPECT_EQ(event["jsep"]["type"], "answer");
  EXPECT_EQ(event["jsep"]["e2ee"], true);
}

TEST_F(Core, HangupTellsWhyAndOnlyWhenThereWasAPeer) {
  const auto session = client->create(*gateway);
  const auto handle = client->attach(*gateway, session, kEcho);
  const Json hangup{{"janus", "hangup"}, {"session_id", session}, {"handle_id", handle}};
  EXPECT_EQ(send(hangup)["janus"], "success");
  EXPECT_TRUE(client->last("hangup").is_null());
  const auto call = [&] {
    client->message(*gateway, session, handle, {{"video", true}},
                    {{"type", "offer"}, {"sdp", FakePeer::kSdp}});
    world.peer()->connect();
  };
  call();
  EXPECT_EQ(client->last("webrtcup")["sender"], handle);
  client->log.clear();
  EXPECT_EQ(send(hangup)["janus"], "success");
  EXPECT_EQ(client->kinds().front(), "success");
  EXPECT_EQ(client->last("hangup")["reason"], "Janus API");
  EXPECT_EQ(client->last("hangup")["sender"], handle);
  call();
  world.peer()->end(rtc::CloseReason::kIceFailed);
  EXPECT_EQ(client->last("hangup")["reason"], "ICE failed");
  call();
  client->log.clear();
  send({{"janus", "detach"}, {"session_id", session}, {"handle_id", handle}});
  EXPECT_EQ(client->last("hangup")["reason"], "Detach");
  EXPECT_EQ(client->kinds().back(), "detached");
  // Every peer is given back.
  EXPECT_TRUE(run_until(world.loop, [&] { return world.peer() == nullptr; }));
}

TEST_F(Core, ASecondOfferWaitsForTheFirst) {
  const auto session = client->create(*gateway);
  const auto handle = client->attach(*gateway, session, kEcho);
  const Json jsep{{"type", "offer"}, {"sdp", FakePeer::kSdp}};
  PeerFactory slow = [this](rtc::PeerOptions, rtc::PeerListener& listener) {
    auto peer = std::make_shared<FakePeer>(listener);
    peer->immediate = false;
    world.peers.push_back(peer);
    return peer;
  };
  gateway = std::make_unique<Gateway>(world.context, slow);
  const auto again = client->create(*gateway);
  const auto waiting = client->attach(*gateway, again, kEcho);
  EXPECT_EQ(client->message(*gateway, again, waiting, {{"video", true}}, jsep)["janus"], "ack");
  EXPECT_EQ(code_of(client->message(*gateway, again, waiting, {{"video", true}}, jsep)), 471);
  world.peer()->describe(std::string(FakePeer::kSdp));
  EXPECT_EQ(client->last("event")["jsep"]["type"], "answer");
  EXPECT_NE(session + handle, 0U);
}

TEST_F(Core, PeerConnectionsAreBounded) {
  world.config.rtc.max_viewers = 1;
  const auto session = client->create(*gateway);
  const Json jsep{{"type", "offer"}, {"sdp", FakePeer::kSdp}};
  const auto first = client->attach(*gateway, session, kEcho);
  const auto second = client->attach(*gateway, session, kEcho);
  client->message(*gateway, session, first, {{"video", true}}, jsep);
  client->message(*gateway, session, second, {{"video", true}}, jsep);
  EXPECT_EQ(client->last("event")["plugindata"]["data"]["error_code"], 414);
  send({{"janus", "hangup"}, {"session_id", session}, {"handle_id", first}});
  client->message(*gateway, session, second, {{"video", true}}, jsep);
  EXPECT_EQ(client->last("event")["jsep"]["type"], "answer");
}

TEST_F(Core, AConnectionTakesItsSessionsAlong) {
  const auto session = client->create(*gateway);
  client->attach(*gateway, session, kEcho);
  gateway->outlet_gone(*client);
  EXPECT_EQ(gateway->sessions(), 0U);
}

TEST_F(Core, AnOrphanIsReclaimedWithWhatItMissed) {
  world.config.janus.reclaim_timeout = std::chrono::seconds(100);
  restart();
  const auto session = client->create(*gateway);
  const auto handle = client->attach(*gateway, session, kEcho);
  client->message(*gateway, session, handle, {{"video", true}},
                  {{"type", "offer"}, {"sdp", FakePeer::kSdp}});
  gateway->outlet_gone(*client);
  ASSERT_EQ(gateway->sessions(), 1U);
  world.peer()->connect();
  auto next = std::make_shared<Client>();
  const Json claimed =
      next->send(*gateway, {{"janus", "claim"}, {"session_id", session}, {"transaction", "c"}});
  EXPECT_EQ(claimed, (Json{{"janus", "success"}, {"session_id", session}, {"transaction", "c"}}));
  EXPECT_EQ(next->kinds(), (std::vector<std::string>{"success", "webrtcup"}));
  // A claim also takes a session from a living connection.
  auto third = std::make_shared<Client>();
  third->send(*gateway, {{"janus", "claim"}, {"session_id", session}});
  gateway->outlet_gone(*next);
  EXPECT_EQ(gateway->sessions(), 1U);
  EXPECT_EQ(code_of(next->send(*gateway, {{"janus", "claim"}, {"session_id", session + 1}})), 458);
}

TEST_F(Core, UnclaimedOrphansEnd) {
  world.config.janus.reclaim_timeout = std::chrono::seconds(1);
  restart();
  client->create(*gateway);
  gateway->outlet_gone(*client);
  EXPECT_EQ(gateway->sessions(), 1U);
  EXPECT_TRUE(run_until(world.loop, [&] { return gateway->sessions() == 0; }));
}

TEST_F(Core, SilentSessionsEndWithATimeoutEvent) {
  world.config.janus.session_timeout = std::chrono::seconds(1);
  restart();
  const auto session = client->create(*gateway);
  client->log.clear();
  ASSERT_TRUE(run_until(world.loop, [&] { return gateway->sessions() == 0; }));
  ASSERT_EQ(client->log.size(), 1U);
  EXPECT_EQ(client->log[0], (Json{{"janus", "timeout"}, {"session_id", session}}));
  EXPECT_EQ(code_of(send({{"janus", "keepalive"}, {"session_id", session}})), 458);
}

TEST_F(Core, AnUnreadQueueOfEventsIsBounded) {
  world.config.janus.reclaim_timeout = std::chrono::seconds(100);
  restart();
  const auto session = gateway->find(client->create(*gateway));
  gateway->outlet_gone(*client);
  for (int i = 0; i < 2000; ++i) session->push({{"janus", "event"}, {"n", i}});
  const auto events = session->take(10'000);
  ASSERT_EQ(events.size(), Session::kMaxQueuedEvents);
  EXPECT_EQ(events.back()["n"], 1999);
}

TEST_F(Core, StopEndsEverySession) {
  client->create(*gateway);
  client->log.clear();
  gateway->stop();
  EXPECT_EQ(client->kinds(), (std::vector<std::string>{"timeout"}));
  EXPECT_EQ(code_of(send({{"janus", "create"}})), 472);
}

TEST_F(Core, MetricsCountWhatLives) {
  const auto session = client->create(*gateway);
  client->attach(*gateway, session, kEcho);
  world.metrics.scrape();
  EXPECT_EQ(world.metrics.gauges["sotto_janus_sessions"], 1);
  EXPECT_EQ(world.metrics.gauges["sotto_janus_handles"], 1);
}

}  // namespace
}  // namespace sotto::server::janus::testing
