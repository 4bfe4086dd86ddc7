// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/groups/group.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace sotto::groups {
namespace {

using namespace std::chrono_literals;

/// What each member heard, in order, as a client would read it.
class Ears : public Listener {
 public:
  void tell(std::span<const MemberId> to, const ServerMessage& message) override {
    for (const MemberId id : to) heard[id].push_back(message);
  }
  void dismiss(MemberId member, CloseCode code, const std::string&) override {
    dismissed.emplace_back(member, code);
  }
  template <class T>
  const T* last(MemberId member) const {
    const auto found = heard.find(member);
    return found == heard.end() || found->second.empty() ? nullptr
                                                         : std::get_if<T>(&found->second.back());
  }

  std::map<MemberId, std::vector<ServerMessage>> heard;
  std::vector<std::pair<MemberId, CloseCode>> dismissed;
};

class SealedGroup : public ::testing::Test {
 protected:
  Group::Newcomer newcomer(std::uint8_t who, Role role = Role::kSender) const {
    Bytes spki = *from_hex("3059301306072a8648ce3d020106082a8648ce3d03010703420004");
    spki.resize(kIdentityBytes, who);
    return {Join{spki, {who}, role}, "subject-" + std::to_string(who), "t"};
  }
  Outcome<MemberId> join(const Group::Newcomer& who) {
    return group.join(who, now, [](MemberId) {});
  }
  MemberId join(std::uint8_t who, Role role = Role::kSender) {
    const auto member = join(newcomer(who, role));
    EXPECT_TRUE(member) << (member ? "" : member.error().reason);
    return member ? *member : MemberId{0};
  }
  template <class T>
  static Refusal code(const Outcome<T>& outcome) {
    EXPECT_FALSE(outcome);
    return outcome ? Refusal::kMalformed : outcome.error().code;
  }
  static std::vector<MemberId> ids(const Roster& roster) {
    std::vector<MemberId> list;
    for (const auto& entry : roster) list.push_back(entry.member);
    return list;
  }

  Ears ears;
  Group group{{.id = "team", .title = "", .require_e2ee = true, .max_members = 4}, ears};
  Clock::time_point now{1h};
};

TEST_F(SealedGroup, EveryChangeIsOneEpochWhichAllHearAlike) {
  ASSERT_EQ(join(1), 1);
  const auto* first = ears.last<Welcome>(1);
  ASSERT_NE(first, nullptr);
  EXPECT_EQ(first->epoch, 1);
  EXPECT_EQ(first->session.size(), kSessionBytes);
  EXPECT_EQ(first->transaction, "t");
  EXPECT_EQ(ids(first->roster), std::vector<MemberId>{1});
  ASSERT_EQ(join(2), 2);
  ASSERT_EQ(join(3, Role::kViewer), 3);
  // The joiner is welcomed into the epoch his joining made; the others hear of it.
  EXPECT_EQ(ears.last<Welcome>(3)->epoch, 3);
  for (const auto other : {MemberId{1}, MemberId{2}}) {
    const auto* epoch = ears.last<Epoch>(other);
    ASSERT_NE(epoch, nullptr);
    EXPECT_EQ(epoch->epoch, 3);
    EXPECT_EQ(epoch->cause, Cause::kJoin);
    EXPECT_EQ(epoch->member, 3);
    EXPECT_EQ(ids(epoch->roster), (std::vector<MemberId>{1, 2, 3}));
  }
  group.leave(2);
  group.leave(2);  // Its connection ends, too.
  EXPECT_EQ(group.epoch(), 4);
  EXPECT_EQ(ears.last<Epoch>(1)->cause, Cause::kLeave);
  EXPECT_EQ(ids(ears.last<Epoch>(3)->roster), (std::vector<MemberId>{1, 3}));
  EXPECT_NE(ears.last<Epoch>(2)->epoch, 4);  // The one who left hears nothing more.
  ASSERT_TRUE(group.rekey(3, now));
  EXPECT_EQ(ears.last<Epoch>(1)->epoch, 5);
  EXPECT_EQ(ears.last<Epoch>(3)->cause, Cause::kRekey);
}

TEST_F(SealedGroup, NumbersAreNeverGivenTwiceInASessionAndASessionEndsWithItsLastMember) {
  join(1);
  join(2);
  const Bytes session = ears.last<Welcome>(2)->session;
  group.leave(2);
  EXPECT_EQ(join(2), 3);
  EXPECT_EQ(ears.last<Welcome>(3)->session, session);
  group.leave(1);
  group.leave(3);
  EXPECT_EQ(group.epoch(), 0);
  EXPECT_EQ(join(1), 1);
  EXPECT_NE(ears.last<Welcome>(1)->session, session);
  EXPECT_EQ(ears.last<Welcome>(1)->epoch, 1);
}

TEST_F(SealedGroup, ARemovedMemberIsDismissedAndHearsNothingMore) {
  join(1);
  join(2);
  join(3);
  const auto heard = ears.heard[2].size();
  ASSERT_TRUE(group.remove(2, 1));
  EXPECT_EQ(ears.heard[2].size(), heard);
  EXPECT_EQ(ears.dismissed,
            (std::vector<std::pair<MemberId, CloseCode>>{{2, CloseCode::kRemoved}}));
  EXPECT_EQ(ears.last<Epoch>(3)->cause, Cause::kRemove);
  EXPECT_EQ(ears.last<Epoch>(3)->by, 1);
  EXPECT_EQ(code(group.remove(2, 1)), Refusal::kNoMember);
  EXPECT_EQ(group.epoch(), 4);
}

TEST_F(SealedGroup, LettersGoOnlyToThoseWhoWereInTheirEpoch) {
  join(1);
  join(2);
  ASSERT_TRUE(group.send(1, {2, 2, {0xaa}}, now));
  ASSERT_NE(ears.last<Letter>(2), nullptr);
  EXPECT_EQ(ears.last<Letter>(2)->from, 1);
  EXPECT_EQ(ears.last<Letter>(2)->epoch, 2);
  EXPECT_EQ(ears.last<Letter>(2)->payload, Bytes{0xaa});
  join(3);
  const auto before = ears.heard[3].size();
  EXPECT_EQ(code(group.send(1, {3, 2, {1}}, now)), Refusal::kWrongEpoch);  // Before it came.
  EXPECT_EQ(code(group.send(1, {3, 4, {1}}, now)), Refusal::kWrongEpoch);  // Not yet.
  EXPECT_EQ(code(group.send(3, {1, 2, {1}}, now)), Refusal::kWrongEpoch);
  EXPECT_EQ(ears.heard[3].size(), before);
  EXPECT_TRUE(group.send(1, {2, 2, {1}}, now));  // Both were in it, though it is over.
  EXPECT_TRUE(group.send(1, {3, 3, {1}}, now));
  EXPECT_EQ(code(group.send(1, {1, 3, {1}}, now)), Refusal::kNoMember);
  EXPECT_EQ(code(group.send(1, {9, 3, {1}}, now)), Refusal::kNoMember);
  group.leave(3);
  EXPECT_EQ(code(group.send(1, {3, 3, {1}}, now)), Refusal::kNoMember);
}

TEST_F(SealedGroup, WhoOffersNoKeysIsRefusedWhereSealingIsRequired) {
  auto bare = newcomer(1);
  bare.join.prekeys.clear();
  EXPECT_EQ(code(join(bare)), Refusal::kPrekeysRequired);
  bare = newcomer(1);
  bare.join.identity.clear();
  EXPECT_EQ(code(join(bare)), Refusal::kPrekeysRequired);
  EXPECT_TRUE(group.members().empty());
  Group open({.id = "open", .title = "", .require_e2ee = false, .max_members = 2}, ears);
  EXPECT_TRUE(open.join({Join{}, "a", ""}, now, [](MemberId) {}));
  EXPECT_TRUE(open.join({Join{}, "b", ""}, now, [](MemberId) {}));
  EXPECT_EQ(code(open.renew(1, {1})), Refusal::kDenied);
}

TEST_F(SealedGroup, TheSameDeviceReplacesItselfAndNobodyElse) {
  join(1);
  join(2);
  auto thief = newcomer(2);
  thief.subject = "somebody else";
  EXPECT_EQ(code(join(thief)), Refusal::kIdentityTaken);
  EXPECT_TRUE(ears.dismissed.empty());
  EXPECT_EQ(join(2), 3);
  EXPECT_EQ(ears.dismissed,
            (std::vector<std::pair<MemberId, CloseCode>>{{2, CloseCode::kReplaced}}));
  EXPECT_EQ(ids(group.roster()), (std::vector<MemberId>{1, 3}));
  // Member 1 heard of both steps.
  EXPECT_EQ(ears.last<Epoch>(1)->epoch, 4);
}

TEST_F(SealedGroup, AFullGroupAndAHurriedSubjectAreRefused) {
  for (std::uint8_t who = 1; who <= 4; ++who) join(who);
  EXPECT_EQ(code(join(newcomer(5))), Refusal::kGroupFull);
  group.leave(4);
  for (std::size_t i = 1; i < Group::kJoinsPerMinute; ++i) {
    group.leave(join(5));
  }
  EXPECT_EQ(code(join(newcomer(5))), Refusal::kBusy);  // The refused one counted, too.
  EXPECT_NE(join(6), 0);                               // Others may.
  group.leave(group.roster().back().member);
  now += 61s;
  EXPECT_NE(join(5), 0);
}

TEST_F(SealedGroup, RekeysAndLettersAreRationed) {
  join(1);
  join(2);
  ASSERT_TRUE(group.rekey(1, now));
  EXPECT_EQ(code(group.rekey(2, now + 4s)), Refusal::kBusy);
  EXPECT_TRUE(group.rekey(2, now + 5s));
  int sent = 0;
  while (group.send(1, {2, 2, {1}}, now)) ++sent;
  EXPECT_EQ(sent, static_cast<int>(Group::kLetterBurst));
  EXPECT_EQ(code(group.send(1, {2, 2, {1}}, now)), Refusal::kBusy);
  EXPECT_TRUE(group.send(2, {1, 2, {1}}, now));  // Each has a ration of its own.
  sent = 0;
  while (group.send(1, {2, 2, {1}}, now + 1s)) ++sent;
  EXPECT_EQ(sent, static_cast<int>(Group::kLettersPerSecond * 2));
}

TEST_F(SealedGroup, StreamsAreAnnouncedBySendersAndBounded) {
  join(1);
  join(2, Role::kViewer);
  ASSERT_TRUE(group.announce(1, "garden"));
  ASSERT_NE(ears.last<StreamNews>(2), nullptr);
  EXPECT_EQ(ears.last<StreamNews>(2)->source, "garden");
  EXPECT_TRUE(ears.last<StreamNews>(2)->active);
  const auto heard = ears.heard[2].size();
  ASSERT_TRUE(group.announce(1, "garden"));  // Again: nothing new.
  EXPECT_EQ(ears.heard[2].size(), heard);
  EXPECT_EQ(code(group.announce(2, "mine")), Refusal::kDenied);
  for (std::size_t i = 1; i < kMaxStreams; ++i) {
    ASSERT_TRUE(group.announce(1, "s" + std::to_string(i)));
  }
  EXPECT_EQ(code(group.announce(1, "more")), Refusal::kTooMany);
  EXPECT_TRUE(group.withdraw(1, "garden"));
  EXPECT_FALSE(group.withdraw(1, "garden"));
  EXPECT_FALSE(ears.last<StreamNews>(2)->active);
  join(3);
  EXPECT_EQ(ears.last<Welcome>(3)->roster[0].sources.size(), kMaxStreams - 1);
  ASSERT_TRUE(group.renew(1, {0xbb}));
  EXPECT_EQ(ears.last<PrekeyNews>(3)->prekeys, Bytes{0xbb});
  EXPECT_EQ(group.roster()[0].prekeys, Bytes{0xbb});
}

TEST_F(SealedGroup, ASessionWhoseNumbersAreUsedUpEndsForAll) {
  join(1);
  std::uint16_t last = group.epoch();
  while (ears.dismissed.empty()) {
    now += Group::kRekeyInterval;
    ASSERT_TRUE(group.rekey(1, now));
    if (group.epoch() != 0) {
      ASSERT_EQ(group.epoch(), last + 1);
      last = group.epoch();
    }
    ears.heard.clear();
  }
  EXPECT_GT(last, 65'000);
  EXPECT_EQ(ears.dismissed.front().second, CloseCode::kSessionOver);
  EXPECT_TRUE(group.members().empty());
  EXPECT_EQ(join(1), 1);
  EXPECT_EQ(group.epoch(), 1);
}

}  // namespace
}  // namespace sotto::groups
