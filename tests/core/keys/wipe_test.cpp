// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// Reads the process's own memory: keys of epochs and channels are there while they are in use, and
// nowhere afterwards.
#include "core/keys/member.h"
#include "tests/core/keys/support.h"
#include "tests/support/memory_search.h"

#include <deque>

namespace sotto::keys {
namespace {

using std::chrono::seconds;
using test::copies_of;
using test::Masked;
using test::overwrite_stack;

/// Two members who hear each other at once. Of the keys only masks are kept.
struct Two {
  Device devices[2];
  std::optional<Member> members[2];
  Bytes session = random_bytes(kSessionSize);
  Now now{seconds(100), kToday};
  std::uint64_t epoch = 0;
  std::vector<Masked> used[2];  // Outer, inner, outer, inner…

  Two() {
    for (auto& member : members) {
      const auto i = static_cast<std::size_t>(&member - members);
      Member::Options options;
      options.group = "team";
      options.session = session;
      options.role = Role::kSender;
      options.layers = 2;
      member.emplace(std::move(options), *devices[i].identity, devices[i].prekeys,
                     devices[i].continuity);
    }
    EXPECT_TRUE(members[0]->welcome(1, ++epoch, roster(1), now));
    EXPECT_TRUE(members[1]->welcome(2, ++epoch, roster(2), now));
    EXPECT_TRUE(members[0]->epoch(epoch, Cause::kJoin, 2, roster(2), now));
    settle();
  }
  std::vector<RosterEntry> roster(std::size_t count) const {
    std::vector<RosterEntry> out;
    for (std::size_t i = 0; i < count; ++i) {
      out.push_back({static_cast<MemberNumber>(i + 1), Role::kSender, devices[i].spki(),
                     devices[i].prekeys.bundle(), ""});
    }
    return out;
  }
  void rekey() {
    ++epoch;
    for (auto& member : members) {
      EXPECT_TRUE(member->epoch(epoch, Cause::kRekey, 1, roster(2), now));
    }
    settle();
  }
  void settle() {
    exchange();
    now.steady += seconds(3);
    exchange();
  }
  [[gnu::noinline]] void exchange() {
    for (auto& member : members) {
      if (member) member->tick(now);
    }
    for (bool busy = true; busy;) {
      busy = false;
      for (std::size_t i = 0; i < 2; ++i) {
        if (!members[i]) continue;
        for (auto& each : members[i]->take_events()) {
          busy = true;
          if (const auto* use = std::get_if<event::UseKey>(&each)) {
            used[i].emplace_back(use->outer.base_key.view());
            used[i].emplace_back(use->inner.base_key.view());
          } else if (const auto* send = std::get_if<event::Send>(&each)) {
            auto& to = members[send->to - 1U];
            if (to) {
              EXPECT_TRUE(to->message(static_cast<MemberNumber>(i + 1), send->payload, now));
            }
          }
        }
      }
    }
    overwrite_stack();
  }
};

TEST(KeysWipe, OldEpochsLeaveNothingBehind) {
  Two two;
  ASSERT_GE(two.used[0].size(), 4U) << "alone, then together";
  EXPECT_GE(copies_of(two.used[0].back()), 1U) << "the sender's own: the search works";
  const auto old = two.used[0].size();
  two.rekey();
  ASSERT_GT(two.used[0].size(), old);
  for (std::size_t i = 0; i < old; ++i) EXPECT_EQ(copies_of(two.used[0][i]), 0U) << i;
  EXPECT_GE(copies_of(two.used[0].back()), 1U);
}

TEST(KeysWipe, AMembersEndLeavesNothingBehind) {
  Two two;
  const auto own = two.used[0].back();
  ASSERT_GE(copies_of(own), 1U);
  two.members[0].reset();
  overwrite_stack();
  EXPECT_EQ(copies_of(own), 0U);
}

TEST(KeysWipe, ChannelsAndAgreementsLeaveNothingBehind) {
  Device i;
  Device r;
  const Pairing pairing{"team", Bytes(16, 7), 9, 4, {5}, {}};
  std::optional<Masked> sas, retained;
  std::vector<Masked> shared, scalars;
  const auto run = [&]() {
    auto ephemerals = *Ephemerals::generate();
    for (const auto& key : ephemerals.keys) scalars.emplace_back(key.private_key());
    const auto bundle = *parse_bundle(r.prekeys.bundle(), kToday);
    for (std::size_t n = 0; n < kLayers; ++n) {
      const auto secret = *ephemerals.keys[n].agree(bundle.prekeys[n].key);
      shared.emplace_back(secret.view());
      EXPECT_GE(copies_of(shared.back()), 1U) << "the search works";
    }
    const auto start =
        *Initiator::start(pairing, *i.identity, bundle, nullptr, std::move(ephemerals));
    auto answer = *Responder::answer(pairing, *r.identity, r.prekeys, i.identity->pub(), nullptr,
                                     *Ephemerals::generate(), start.hello());
    auto done = *start.finish(answer.reply(), *i.identity);
    const auto other = *answer.finish(done.finish);
    sas.emplace(done.channel.sas_secret());
    const auto fresh = done.channel.fresh_retained();
    retained.emplace(fresh.view());
    EXPECT_GE(copies_of(*sas), 2U);
    EXPECT_GE(copies_of(*retained), 3U);
    for (const auto& each : scalars) EXPECT_GE(copies_of(each), 1U);
  };
  run();
  overwrite_stack();
  EXPECT_EQ(copies_of(*sas), 0U);
  EXPECT_EQ(copies_of(*retained), 0U);
  for (const auto& each : shared) EXPECT_EQ(copies_of(each), 0U);
  for (const auto& each : scalars) EXPECT_EQ(copies_of(each), 0U);
}

}  // namespace
}  // namespace sotto::keys
