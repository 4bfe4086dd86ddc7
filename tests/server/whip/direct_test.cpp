// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// The server between a viewer and a publisher who answers himself, well or badly. Publisher and
// viewer are played by the test.
#include "core/rtc/direct/messages.h"
#include "server/whep/unreached.h"
#include "tests/server/signaling/offers.h"
#include "tests/support/server_fixture.h"
#include "tests/support/socket_client.h"

#include <future>
#include <optional>

namespace sotto::test {
namespace {

namespace direct = rtc::direct;

/// The publisher's end of the WebSocket.
class Publisher : public SocketClient {
 public:
  Publisher(const std::string& http_url, const std::string& token)
      : SocketClient(http_url, token, {"sotto-direct-1"}) {}

  using SocketClient::say;
  void say(const direct::Message& message) { say(direct::print(message)); }
  /// The next message if it is of this kind.
  template <class T>
  std::optional<T> hear() {
    const auto text = SocketClient::hear();
    if (!text) return std::nullopt;
    const auto message = direct::parse(*text);
    if (!message || !std::holds_alternative<T>(*message)) return std::nullopt;
    return std::get<T>(*message);
  }
};

class DirectPublishing : public ServerFixture {
 protected:
  void SetUp() override {
    config.mounts.push_back({.id = "garden", .title = "Garden", .is_private = false});
    config.log_level = "error";
    start();
  }
  std::string signal(const std::string& id = "garden") {
    return url("/v1/publish/" + id + "/signal");
  }
  std::unique_ptr<Publisher> publisher() {
    auto made = std::make_unique<Publisher>(signal(), token({"stream:garden:publish"}));
    const auto welcome = made->hear<direct::Relay>();
    EXPECT_TRUE(welcome && !welcome->wanted);
    return made;
  }
  static std::string viewer_offer() {
    return offer(audio_section("recvonly") + video_section("recvonly"));
  }
  /// As a publisher would answer; its peer connection is nobody's.
  static std::string answer() {
    std::string text = offer(audio_section("sendonly") + video_section("sendonly"));
    for (auto at = text.find("actpass"); at != std::string::npos; at = text.find("actpass")) {
      text.replace(at, 7, "active");
    }
    return text;
  }
  std::future<HttpAnswer> watch() {
    return std::async(std::launch::async, [this, to = url("/whep/garden"), as = admin_token()] {
      HttpClient client;
      client.set_token(as);
      return client.request("POST", to, viewer_offer(), {{"Content-Type", "application/sdp"}});
    });
  }
  std::string metrics() { return http.get(url("/metrics")).body; }
  bool counted(const std::string& why, int times) {
    return metrics().find("sotto_direct_faults_total{why=\"" + why + "\"} " +
                          std::to_string(times) + "\n") != std::string::npos;
  }
};

TEST_F(DirectPublishing, OfferAnswerCandidatesAndEndAreCarried) {
  auto garden = publisher();
  auto asked = watch();
  const auto offer = garden->hear<direct::Offer>();
  ASSERT_TRUE(offer);
  EXPECT_EQ(offer->sdp, viewer_offer());
  garden->say(direct::Answer{offer->session, answer()});
  const auto got = asked.get();
  ASSERT_EQ(got.status, 201) << got.body;
  EXPECT_EQ(got.body, answer());

  const auto location = got.header("location");
  const std::string fragment =
      "a=ice-ufrag:wxyz\r\na=ice-pwd:0123456789abcdefghijklmn\r\nm=audio 9 UDP/TLS/RTP/SAVPF 0\r\n"
      "a=mid:0\r\na=candidate:1 1 udp 2122260223 192.0.2.77 61764 typ host\r\n";
  EXPECT_EQ(http.request("PATCH", location, fragment,
                         {{"Content-Type", "application/trickle-ice-sdpfrag"}})
                .status,
            204);
  const auto trickle = garden->hear<direct::Trickle>();
  ASSERT_TRUE(trickle);
  EXPECT_EQ(trickle->session, offer->session);
  EXPECT_EQ(trickle->candidate.mid, "0");
  EXPECT_NE(trickle->candidate.candidate.find("192.0.2.77"), std::string::npos);
  EXPECT_EQ(http.request("DELETE", location).status, 200);
  const auto end = garden->hear<direct::End>();
  ASSERT_TRUE(end);
  EXPECT_EQ(end->session, offer->session);
  EXPECT_EQ(http.request("DELETE", location).status, 404);
}

TEST_F(DirectPublishing, TheEndOfTheConnectionOrOfAViewerEndsTheSession) {
  auto garden = publisher();
  std::string locations[2];
  std::string sessions[2];
  for (int i = 0; i < 2; ++i) {
    auto asked = watch();
    const auto offer = garden->hear<direct::Offer>();
    ASSERT_TRUE(offer);
    sessions[i] = offer->session;
    garden->say(direct::Answer{offer->session, answer()});
    garden->say(direct::Connected{offer->session});
    const auto got = asked.get();
    ASSERT_EQ(got.status, 201) << got.body;
    locations[i] = got.header("location");
  }
  EXPECT_NE(metrics().find("sotto_direct_viewers 2"), std::string::npos);
  garden->say(direct::End{sessions[0], "gone"});
  while (http.get(locations[0]).status != 404) {
  }
  EXPECT_EQ(http.get(locations[1]).status, 204);
  garden->hang_up();
  while (http.get(locations[1]).status != 404) {
  }
  EXPECT_NE(metrics().find("sotto_direct_publishers 0"), std::string::npos);
}

TEST_F(DirectPublishing, WhoIsRefusedOrBadlyAnsweredIsForTheRelay) {
  auto garden = publisher();
  const auto ask = [&](auto reply) {
    auto asked = watch();
    auto offer = garden->hear<direct::Offer>();
    EXPECT_TRUE(offer);
    reply(offer->session);
    return asked;
  };
  auto first = ask([&](const std::string& session) {
    garden->say(direct::failure(session, {ErrorCode::kUnavailable, "full"}));
  });
  const auto relay = garden->hear<direct::Relay>();
  EXPECT_TRUE(relay && relay->wanted);
  std::vector<std::future<HttpAnswer>> asked;
  for (const std::string& bad : {std::string("nonsense"), viewer_offer().substr(0, 200),
                                 offer(audio_section("sendonly"), "0")}) {
    asked.push_back(ask([&](const std::string& session) {
      garden->say(direct::Answer{session, bad});
    }));
    EXPECT_TRUE(garden->hear<direct::End>());
    const auto told = garden->hear<direct::Failure>();
    EXPECT_TRUE(told && !told->session.empty());
  }
  EXPECT_TRUE(counted("answer", 3)) << metrics();
  // The relay stream never comes, and neither does the publisher come back.
  garden->hang_up();
  EXPECT_EQ(first.get().status, 503);
  for (auto& one : asked) EXPECT_EQ(one.get().status, 503);
}

TEST_F(DirectPublishing, WhoIsAnsweredAndNotReachedIsRelayedTheNextTime) {
  auto garden = publisher();
  auto asked = watch();
  auto offer = garden->hear<direct::Offer>();
  ASSERT_TRUE(offer);
  garden->say(direct::Answer{offer->session, answer()});
  const auto got = asked.get();
  ASSERT_EQ(got.status, 201) << got.body;
  garden->say(direct::End{offer->session, "connect timeout"});
  while (http.get(got.header("location")).status != 404) {
  }
  EXPECT_NE(metrics().find("sotto_direct_unreached_total 1\n"), std::string::npos);
  auto again = watch();
  const auto relay = garden->hear<direct::Relay>();
  EXPECT_TRUE(relay && relay->wanted) << "not asked of the publisher any more";
  garden->hang_up();
  EXPECT_EQ(again.get().status, 503) << "this publisher relays nothing";
}

TEST_F(DirectPublishing, WhoWasReachedOrChangedHisMindIsAskedForAgain) {
  auto garden = publisher();
  for (const bool connects : {true, false}) {
    auto asked = watch();
    const auto offer = garden->hear<direct::Offer>();
    ASSERT_TRUE(offer) << connects;
    garden->say(direct::Answer{offer->session, answer()});
    const auto got = asked.get();
    ASSERT_EQ(got.status, 201) << got.body;
    if (connects) {
      garden->say(direct::Connected{offer->session});
      garden->say(direct::End{offer->session, "silence"});
      while (http.get(got.header("location")).status != 404) {
      }
    } else {
      EXPECT_EQ(http.request("DELETE", got.header("location")).status, 200);
      EXPECT_TRUE(garden->hear<direct::End>());
    }
  }
  auto last = watch();
  const auto offer = garden->hear<direct::Offer>();
  ASSERT_TRUE(offer);
  garden->say(direct::failure(offer->session, {ErrorCode::kUnavailable, "enough"}));
  garden->hang_up();
  EXPECT_EQ(last.get().status, 503);
}

TEST(UnreachedViewers, AreForgottenInTimeAndWhenTheyAreTooMany) {
  server::Unreached unreached;
  const server::Unreached::Clock::time_point start{std::chrono::hours(1)};
  const server::Unreached::Viewer one{"garden", "anna", "192.0.2.1"};
  EXPECT_FALSE(unreached.knows(one, start));
  unreached.remember(one, start);
  EXPECT_TRUE(unreached.knows(one, start));
  EXPECT_FALSE(unreached.knows({"porch", "anna", "192.0.2.1"}, start));
  EXPECT_FALSE(unreached.knows({"garden", "bert", "192.0.2.1"}, start));
  EXPECT_FALSE(unreached.knows({"garden", "anna", "192.0.2.2"}, start));
  EXPECT_FALSE(unreached.knows(one, start + server::Unreached::kKept));
  EXPECT_EQ(unreached.size(), 0U);
  unreached.remember(one, start);
  for (std::size_t i = 0; i < server::Unreached::kMax; ++i) {
    unreached.remember({"garden", "anna", std::to_string(i)}, start + std::chrono::seconds(1));
  }
  EXPECT_EQ(unreached.size(), server::Unreached::kMax);
  EXPECT_FALSE(unreached.knows(one, start)) << "it was the oldest";
}

TEST_F(DirectPublishing, WhatMakesNoSenseIsToldCountedAndEndsTheConnectionIfItGoesOn) {
  auto garden = publisher();
  auto asked = watch();
  const auto offer = garden->hear<direct::Offer>();
  ASSERT_TRUE(offer);
  garden->say(direct::Answer{offer->session, answer()});
  EXPECT_EQ(asked.get().status, 201);
  const auto refusal = [&](const std::string& text) {
    garden->say(text);
    const auto told = garden->hear<direct::Failure>();
    return told ? told->code : std::string("nothing");
  };
  EXPECT_EQ(refusal(direct::print(direct::Answer{offer->session, answer()})), "conflict");
  EXPECT_EQ(refusal(direct::print(direct::Answer{"nobody", answer()})), "not-found");
  EXPECT_EQ(refusal(direct::print(direct::End{"nobody", {}})), "not-found");
  EXPECT_EQ(refusal(direct::print(direct::Relay{true})), "invalid");
  EXPECT_EQ(refusal("garbage"), "parse");
  EXPECT_EQ(refusal(R"({"type":"dance"})"), "unsupported");
  EXPECT_TRUE(counted("twice", 1));
  EXPECT_TRUE(counted("session", 2));
  EXPECT_TRUE(counted("direction", 1));
  EXPECT_TRUE(counted("message", 2));
  for (int i = 0; i < 16; ++i) garden->say("garbage");
  EXPECT_EQ(garden->close_code(), 1008);

  auto again = publisher();
  again->say(std::string(direct::kMaxMessageBytes + 1, 'x'));
  // libsoup may end it before it has taken the message, and then its code is lost.
  const int code = again->close_code();
  EXPECT_TRUE(code == 1009 || code == 0) << code;
}

TEST_F(DirectPublishing, OnlyItsPublisherMayTakeAPlace) {
  EXPECT_EQ(Publisher(signal(), "rubbish").status(), 401);
  EXPECT_EQ(Publisher(signal(), token({"stream:garden:view"})).status(), 403);
  EXPECT_EQ(Publisher(signal(), token({"stream:other:publish"})).status(), 403);
  auto garden = publisher();
  const auto other = call([](server::Context& context) {
    return context.auth
        .issue({.subject = "other", .scopes = {"admin"}}, "other", {"stream:garden:publish"},
               std::chrono::hours(1))
        .value();
  });
  Publisher rival(signal(), other);
  const auto told = rival.hear<direct::Failure>();
  EXPECT_TRUE(told && told->code == "conflict");
  EXPECT_EQ(rival.close_code(), 4009);
  HttpClient whip;
  whip.set_token(other);
  EXPECT_EQ(whip.request("POST", url("/whip/garden"),
                         offer(audio_section("sendonly") + video_section("sendonly")),
                         {{"Content-Type", "application/sdp"}})
                .status,
            409);
  auto back = publisher();
  EXPECT_EQ(garden->close_code(), 4001);
}

}  // namespace
}  // namespace sotto::test
