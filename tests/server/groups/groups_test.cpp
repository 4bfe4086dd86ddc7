// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// Sealed groups at the server's edge: who gets in, what passes, what is refused, what is left
// behind.
#include "server/groups/connection.h"
#include "server/registry/registry.h"
#include "tests/server/groups/client.h"
#include "tests/server/signaling/offers.h"
#include "tests/support/raw_client.h"
#include "tests/support/server_fixture.h"

#include <nlohmann/json.hpp>

namespace sotto::test {
namespace {

using groups::Role;
using nlohmann::json;

class SealedGroups : public ServerFixture {
 protected:
  void SetUp() override {
    config.groups.push_back(
        {.id = "team", .title = "Team", .require_e2ee = true, .max_members = 4});
    config.groups.push_back({.id = "open", .title = "", .require_e2ee = false, .max_members = 4});
    config.log_level = "error";
    start();
  }
  std::string socket(const std::string& group = "team") {
    return url("/v1/groups/" + group + "/ws");
  }
  std::unique_ptr<GroupMember> connect(const std::string& group = "team",
                                       std::vector<std::string> more = {"stream:*:publish"}) {
    more.push_back("group:" + group + ":join");
    return std::make_unique<GroupMember>(socket(group), token(more));
  }
  std::unique_ptr<GroupMember> member(std::uint8_t who, Role role = Role::kSender) {
    auto made = connect();
    made->join(who, role);
    return made;
  }
  HttpAnswer publish(const std::string& source, bool sealed) {
    const std::string mark = sealed ? "a=x-sotto-e2ee:sframe\r\n" : "";
    return http.request("POST", url("/whip/" + source),
                        offer(video_section("sendonly", "0", mark), "0"),
                        {{"Content-Type", "application/sdp"}});
  }
  bool counted(const std::string& line) {
    return http.get(url("/metrics")).body.find(line + "\n") != std::string::npos;
  }
  static bool sealed_required(const std::string& problem) {
    return json::parse(problem)["detail"].get<std::string>().starts_with("sealed-required: ");
  }
  json show(const std::string& group = "team") {
    return json::parse(http.get(url("/v1/groups/" + group)).body, nullptr, false);
  }
};

TEST_F(SealedGroups, MembersHearOfEachOtherAndWriteLettersTheServerCannotRead) {
  auto ann = member(1);
  auto bob = member(2, Role::kViewer);
  const auto epoch = ann->hear<groups::Epoch>();
  ASSERT_TRUE(epoch);
  EXPECT_EQ(epoch->epoch, 2);
  EXPECT_EQ(epoch->cause, groups::Cause::kJoin);
  EXPECT_EQ(epoch->member, bob->number);
  ASSERT_EQ(epoch->roster.size(), 2U);
  EXPECT_EQ(epoch->roster[1].identity, GroupMember::identity(2));
  const Bytes letter(groups::kMaxPayloadBytes, 0xa5);
  bob->say(groups::Send{ann->number, 2, letter}, "17");
  EXPECT_TRUE(bob->done("17"));
  const auto got = ann->hear<groups::Letter>();
  ASSERT_TRUE(got);
  EXPECT_EQ(got->from, bob->number);
  EXPECT_EQ(got->payload, letter);
  ann->say(groups::Rekey{}, "18");
  EXPECT_EQ(ann->hear<groups::Epoch>()->cause, groups::Cause::kRekey);
  EXPECT_TRUE(ann->done("18"));
  EXPECT_EQ(bob->hear<groups::Epoch>()->epoch, 3);
  bob->say(groups::Leave{}, "19");
  EXPECT_TRUE(bob->done("19"));
  EXPECT_EQ(bob->close_code(), 1000);
  EXPECT_EQ(ann->hear<groups::Epoch>()->cause, groups::Cause::kLeave);
  EXPECT_TRUE(counted("sotto_group_members{group=\"team\"} 1"));
  EXPECT_TRUE(counted("sotto_group_epoch{group=\"team\"} 4"));
  EXPECT_TRUE(counted("sotto_group_letters_total 1"));
}

TEST_F(SealedGroups, AConnectionThatEndsIsALeave) {
  auto ann = member(1);
  auto bob = member(2);
  ann->hear<groups::Epoch>();
  bob.reset();  // Without a word.
  const auto epoch = ann->hear<groups::Epoch>();
  ASSERT_TRUE(epoch);
  EXPECT_EQ(epoch->cause, groups::Cause::kLeave);
  EXPECT_EQ(epoch->roster.size(), 1U);
  auto again = member(1);  // The same device and subject: the former connection makes way.
  EXPECT_EQ(ann->close_code(), 4001);
  EXPECT_EQ(again->number, 1);  // Nobody was left: another session.
}

TEST_F(SealedGroups, WithoutTheScopeNobodyGetsInAndStrangersAreToldThatThereIsNoGroup) {
  const GroupMember none(socket(), "");
  EXPECT_TRUE(none.refused());
  EXPECT_EQ(none.status(), 401);
  const GroupMember other(socket(), token({"group:open:join", "stream:*:publish"}));
  EXPECT_TRUE(other.refused());
  EXPECT_EQ(other.status(), 403);
  const SocketClient unspoken(socket(), token({"group:team:join"}), {"another.protocol"});
  EXPECT_TRUE(unspoken.refused());
  SocketClient browser(socket(), "",
                       {"sotto.group.v1", "sotto.bearer." + token({"group:team:join"})});
  EXPECT_FALSE(browser.refused());
  auto lost = connect("nowhere");
  EXPECT_EQ(lost->refusal(), "no-group");
  EXPECT_EQ(lost->close_code(), 4004);
}

TEST_F(SealedGroups, WhoDoesNotJoinIsTurnedAway) {
  auto silent = connect();
  auto eager = connect();
  eager->say(groups::Rekey{}, "1");
  EXPECT_EQ(eager->refusal(), "not-joined");
  EXPECT_EQ(eager->close_code(), 4009);
  auto vague = connect();
  vague->say("hello");
  EXPECT_EQ(vague->refusal(), "malformed");
  EXPECT_EQ(vague->close_code(), 4009);
  auto keyless = connect();
  keyless->say(groups::Join{GroupMember::identity(1), {}, Role::kSender});
  EXPECT_EQ(keyless->refusal(), "prekeys-required");
  EXPECT_EQ(keyless->close_code(), 4009);
  EXPECT_EQ(silent->refusal(), "too-late");
  EXPECT_EQ(silent->close_code(), 4009);
  EXPECT_TRUE(counted("sotto_group_refusals_total{code=\"prekeys-required\"} 1"));
  EXPECT_EQ(show()["members"], 0);
  auto bare = connect("open");
  bare->say(groups::Join{{}, {}, Role::kViewer});
  const auto welcome = bare->hear<groups::Welcome>();
  ASSERT_TRUE(welcome);
  EXPECT_FALSE(welcome->require_e2ee);
}

TEST_F(SealedGroups, OneIdentityCannotPushOutAnotherSubjects) {
  auto ann = member(1);
  const auto stranger_token = call([](server::Context& context) {
    return context.auth
        .issue({.subject = "test", .scopes = {"admin"}}, "stranger", {"group:team:join"},
               std::chrono::hours(1))
        .value();
  });
  GroupMember thief(socket(), stranger_token);
  thief.say(groups::Join{GroupMember::identity(1), {9}, Role::kSender});
  EXPECT_EQ(thief.refusal(), "identity-taken");
  EXPECT_EQ(thief.close_code(), 4009);
  ann->say(groups::Rekey{}, "here");
  EXPECT_TRUE(ann->hear<groups::Epoch>());
}

TEST_F(SealedGroups, MembersRemoveThemselvesAndAdministratorsAnybody) {
  auto ann = member(1);
  auto bob = member(2);
  auto eve = member(3);
  auto chief = connect("team", {"group:team:admin"});
  chief->join(4);
  EXPECT_EQ(eve->hear<groups::Epoch>()->epoch, 4);
  eve->say(groups::Remove{bob->number}, "no");
  EXPECT_EQ(eve->refusal(), "denied");
  chief->say(groups::Remove{eve->number}, "out");
  const auto removed = chief->hear<groups::Epoch>();
  ASSERT_TRUE(removed);
  EXPECT_EQ(removed->cause, groups::Cause::kRemove);
  EXPECT_EQ(removed->by, chief->number);
  EXPECT_TRUE(chief->done("out"));
  EXPECT_EQ(eve->close_code(), 4003);
  bob->say(groups::Remove{bob->number});
  EXPECT_EQ(bob->close_code(), 4003);
  const std::string place = url("/v1/groups/team/members/");
  EXPECT_EQ(http.request("DELETE", place + std::to_string(ann->number)).status, 204);
  EXPECT_EQ(ann->close_code(), 4003);
  for (const char* wrong : {"1", "x", "65536", "-1", "4x"}) {
    EXPECT_EQ(http.request("DELETE", place + wrong).status, 404) << wrong;
  }
  EXPECT_EQ(show()["members"], 1);
}

TEST_F(SealedGroups, SenselessMessagesAreToldCountedAndEndTheConnectionIfTheyGoOn) {
  auto ann = member(1);
  ann->say(groups::Join{GroupMember::identity(1), {1}, Role::kSender}, "2");
  EXPECT_EQ(ann->refusal(), "malformed");
  ann->say(groups::Send{7, 1, {1}}, "3");
  EXPECT_EQ(ann->refusal(), "no-member");
  auto bob = member(2);
  ann->hear<groups::Epoch>();
  ann->say(groups::Send{bob->number, 1, {1}});
  EXPECT_EQ(ann->refusal(), "wrong-epoch");
  ann->say(groups::Rekey{});
  ann->hear<groups::Epoch>();
  ann->say(groups::Rekey{});
  EXPECT_EQ(ann->refusal(), "busy");
  for (unsigned i = 0; i <= server::GroupConnection::kMaxFaults; ++i) {
    ann->say(R"({"type":"promote","transaction":"x"})");
    const auto failed = ann->hear<groups::Failed>();
    ASSERT_TRUE(failed);
    EXPECT_EQ(failed->transaction, "x");
  }
  EXPECT_EQ(ann->close_code(), 1008);
  auto big = member(3);
  big->say(R"({"type":"leave","x":")" + std::string(groups::kMaxClientMessage, 'x') + "\"}");
  EXPECT_FALSE(big->SocketClient::hear());  // Cut off, at times before the code is out.
  std::optional<groups::Epoch> left;
  while ((left = bob->hear<groups::Epoch>()) && left->cause != groups::Cause::kLeave) {
  }
  EXPECT_TRUE(left);
}

TEST_F(SealedGroups, AStreamInTheClearIsRefusedWhereSealingIsRequired) {
  auto ann = member(1);
  auto bob = member(2, Role::kViewer);
  ann->hear<groups::Epoch>();
  ann->say(groups::Announce{"garden", true}, "a");
  EXPECT_TRUE(ann->done("a"));
  const auto news = bob->hear<groups::StreamNews>();
  ASSERT_TRUE(news);
  EXPECT_EQ(news->source, "garden");
  bob->say(groups::Announce{"mine", true});
  EXPECT_EQ(bob->refusal(), "denied");

  const auto refused = publish("garden", false);
  EXPECT_EQ(refused.status, 409) << refused.body;
  EXPECT_TRUE(sealed_required(refused.body)) << refused.body;
  EXPECT_NE(refused.body.find("sealed group team"), std::string::npos) << refused.body;
  SocketClient direct(url("/v1/publish/garden/signal"), admin_token(), {"sotto-direct-1"});
  EXPECT_NE(direct.hear().value_or("").find("\"sealed-required: "), std::string::npos);
  EXPECT_EQ(direct.close_code(), 4009);
  const auto camera =
      http.request("POST", url("/v1/cameras"), R"({"id":"garden","url":"rtsp://127.0.0.1:9/x"})");
  EXPECT_EQ(camera.status, 409) << camera.body;
  EXPECT_TRUE(counted("sotto_sealed_refusals_total{what=\"publication\"} 2"));

  const auto sealed = publish("garden", true);
  EXPECT_EQ(sealed.status, 201) << sealed.body;
  EXPECT_EQ(publish("garden", false).status, 409);  // Nor as a downgrade.
  const auto sources = json::parse(http.get(url("/v1/sources")).body)["sources"];
  EXPECT_EQ(sources[0]["id"], "garden");
  EXPECT_EQ(sources[0]["sealed"], true);
  // Who may not publish there cannot announce it, and nobody can twice.
  auto eve = connect("team", {"stream:yard:publish"});
  eve->join(3);
  eve->say(groups::Announce{"garden", true});
  EXPECT_EQ(eve->refusal(), "denied");
  auto other = connect("open");
  other->join(4);
  other->say(groups::Announce{"garden", true});
  EXPECT_EQ(other->refusal(), "source-taken");
  // Withdrawn, it is a source like any other.
  EXPECT_TRUE(ann->hear<groups::Epoch>());
  ann->say(groups::Announce{"garden", false}, "w");
  EXPECT_TRUE(ann->done("w"));
  EXPECT_EQ(publish("garden", false).status, 201);
}

TEST_F(SealedGroups, WhatIsPublishedInTheClearCannotBeAnnouncedAndWhatIsSealedStaysSo) {
  call([](server::Context& context) {
    class Clear : public rtc::Source {
     public:
      rtc::SourceInfo info() const override {
        rtc::SourceInfo told;
        told.id = "clear";
        told.type = "camera";
        return told;
      }
      void open(const rtc::Wish&,
                std::function<void(Result<std::unique_ptr<rtc::Feed>>)> done) override {
        done(fail(ErrorCode::kUnavailable, "nothing to see"));
      }
    };
    return context.registry.add("clear", std::make_shared<Clear>()).has_value();
  });
  auto ann = member(1);
  ann->say(groups::Announce{"clear", true});
  EXPECT_EQ(ann->refusal(), "sealed-required");
  ann->say(groups::Announce{"Not An Id", true});
  EXPECT_EQ(ann->refusal(), "malformed");
  for (std::size_t i = 0; i <= groups::kMaxStreams; ++i) {
    ann->say(groups::Announce{"s" + std::to_string(i), true}, "s");
    if (i == groups::kMaxStreams) {
      EXPECT_EQ(ann->refusal(), "too-many");
    } else {
      EXPECT_TRUE(ann->done("s"));
    }
  }
  // In a group that does not ask for it: clear may come first, but never after sealed.
  auto bob = connect("open");
  bob->join(2);
  bob->say(groups::Announce{"yard", true}, "y");
  EXPECT_TRUE(bob->done("y"));
  EXPECT_EQ(publish("yard", false).status, 201);
  EXPECT_EQ(publish("yard", true).status, 201);
  const auto downgrade = publish("yard", false);
  EXPECT_EQ(downgrade.status, 409);
  EXPECT_TRUE(sealed_required(downgrade.body)) << downgrade.body;
  // The member's end is its announcements' end.
  bob.reset();
  while (show("open")["members"] != 0) {
  }
  EXPECT_EQ(publish("yard", false).status, 201);
}

TEST_F(SealedGroups, WhoIsRemovedPublishesNoLonger) {
  auto ann = member(1);
  ann->say(groups::Announce{"garden", true}, "a");
  EXPECT_TRUE(ann->done("a"));
  // The same subject as the member's, as tokens of one person are.
  const auto published = publish("garden", true);
  ASSERT_EQ(published.status, 201);
  EXPECT_EQ(http.get(published.header("location")).status, 204);
  EXPECT_EQ(http.request("DELETE", url("/v1/groups/team/members/1")).status, 204);
  EXPECT_EQ(ann->close_code(), 4003);
  EXPECT_EQ(http.get(published.header("location")).status, 404);
}

TEST_F(SealedGroups, AdministratorsListMakeAndDeleteThem) {
  const auto made =
      http.request("POST", url("/v1/groups"), R"({"id":"club","title":"Club","max_members":2})");
  EXPECT_EQ(made.status, 201) << made.body;
  EXPECT_EQ(json::parse(made.body)["require_e2ee"], true);
  EXPECT_EQ(http.request("POST", url("/v1/groups"), R"({"id":"club"})").status, 409);
  for (const char* bad : {R"({"id":"Club"})", R"({})", R"({"id":"x","max_members":65})",
                          R"({"id":"x","max_members":0})", R"({"id":"x","require_e2ee":"no"})",
                          R"({"id":"x","colour":"red"})", R"([])"}) {
    EXPECT_EQ(http.request("POST", url("/v1/groups"), bad).status, 400) << bad;
  }
  auto ann = connect("club");
  ann->join(1);
  const auto shown = show("club");
  EXPECT_EQ(shown["roster"][0]["subject"], "test");
  EXPECT_EQ(shown["epoch"], 1);
  EXPECT_EQ(json::parse(http.get(url("/v1/groups")).body)["groups"].size(), 3U);
  EXPECT_EQ(http.request("DELETE", url("/v1/groups/team")).status, 409);  // From the file.
  EXPECT_EQ(http.request("DELETE", url("/v1/groups/club")).status, 204);
  EXPECT_EQ(ann->close_code(), 4004);
  EXPECT_EQ(http.get(url("/v1/groups/club")).status, 404);
  EXPECT_EQ(http.request("POST", url("/v1/groups"), R"({"id":"kept"})").status, 201);
  stop();
  start();
  EXPECT_EQ(show("kept")["id"], "kept");
  HttpClient stranger;
  stranger.set_token(token({"group:kept:admin"}));
  EXPECT_EQ(stranger.get(url("/v1/groups")).status, 403);
}

TEST_F(SealedGroups, AReaderWhoDoesNotReadIsDroppedAndTheOthersGoOn) {
  auto ann = member(1);
  // By hand, so that nothing is read: the kernel's buffers fill, then ours.
  RawClient raw(url(""));
  const std::string join =
      print(groups::ClientMessage{{}, groups::Join{GroupMember::identity(2), {2}, Role::kViewer}});
  raw.send(
      "GET /v1/groups/team/ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
      "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
      "Sec-WebSocket-Protocol: sotto.group.v1\r\nAuthorization: Bearer " +
      token({"group:team:join"}) + "\r\n\r\n");
  raw.read_until("\r\n\r\n");
  std::string frame = "\x81\xfe";
  frame += static_cast<char>(join.size() >> 8U);
  frame += static_cast<char>(join.size() & 0xffU);
  ASSERT_GE(join.size(), 126U);
  raw.send(frame + std::string(4, '\0') + join);
  const auto joined = ann->hear<groups::Epoch>();
  ASSERT_TRUE(joined);
  // Its bundle grows to the limit, so that each epoch is long; then letters until it is dropped.
  std::size_t sent = 0;
  std::optional<groups::Epoch> left;
  while (!left && sent < 2 * static_cast<std::size_t>(groups::Group::kLetterBurst)) {
    ann->say(groups::Send{joined->member, joined->epoch, Bytes(groups::kMaxPayloadBytes, 1)}, "n");
    ++sent;
    const auto text = ann->SocketClient::hear();
    const auto message = groups::parse_server(text.value_or(""));
    ASSERT_TRUE(message);
    if (const auto* epoch = std::get_if<groups::Epoch>(&*message)) left = *epoch;
  }
  ASSERT_TRUE(left);
  EXPECT_EQ(left->cause, groups::Cause::kLeave);
  EXPECT_EQ(left->member, joined->member);
  EXPECT_EQ(show()["members"], 1);
}

}  // namespace
}  // namespace sotto::test
