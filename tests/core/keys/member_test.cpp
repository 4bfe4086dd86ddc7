// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// Members among themselves, with an honest server: who gets which keys when.
#include "tests/core/keys/net.h"

#include <cstdlib>

namespace sotto::keys {
namespace {

void expect_all_open(const Net& net) {
  for (const auto& [a, sender] : net.apps) {
    if (sender->gone || sender->outer.empty()) continue;
    for (const auto& [b, receiver] : net.apps) {
      if (a != b && !receiver->gone) {
        EXPECT_TRUE(receiver->opens(*sender)) << b << " from " << a;
      }
    }
  }
}

TEST(Members, AloneOneSendsUnderItsOwnKeyAtOnce) {
  Net net;
  auto& a = net.join();
  net.run_for(net.delay);
  EXPECT_EQ(a.using_epoch, 1U);
  EXPECT_EQ(a.using_kid, call_kid(1, 1));
  EXPECT_EQ(a.outer.size(), 32U);
  EXPECT_TRUE(a.inner.empty());
}

TEST(Members, EverySenderIsOpenedByEverybody) {
  Net net;
  for (int i = 0; i < 5; ++i) net.join(i == 2 ? Role::kViewer : Role::kSender);
  net.settle();
  expect_all_open(net);
  const auto& first = *net.apps.at(1);
  for (const auto& [number, app] : net.apps) {
    EXPECT_TRUE(app->warnings.empty()) << number << ": " << name_of(app->warnings[0].first);
    EXPECT_EQ(app->member->group_code(), first.member->group_code());
    EXPECT_EQ(app->member->roster_hash(), first.member->roster_hash());
    EXPECT_EQ(app->member->dropped(), 0U);
    EXPECT_EQ(app->uses > 0, number != 3) << "a viewer has no key of its own";
    if (number == 1) continue;
    const auto state = first.peer(*app);
    EXPECT_TRUE(state.channel && state.confirmed && state.admitted && state.has_our_key);
    EXPECT_EQ(state.we_have_key, number != 3);
    EXPECT_FALSE(state.verified);
  }
  EXPECT_EQ(first.member->group_code().size(), 35U);
}

TEST(Members, TwoLayersHaveIndependentKeysAndSuites) {
  Net net;
  const auto two = [](Member::Options& options) {
    options.layers = 2;
    options.inner = sframe::Suite::kChaCha20Poly1305Sha512;
  };
  net.on_install = [](App&, const event::InstallKey& key) {
    EXPECT_EQ(key.outer.suite, sframe::Suite::kAes256GcmSha512);
    EXPECT_EQ(key.inner.suite, sframe::Suite::kChaCha20Poly1305Sha512);
    EXPECT_FALSE(equal_constant_time(key.outer.base_key.view(), key.inner.base_key.view()));
  };
  auto& a = net.join(Role::kSender, two);
  auto& b = net.join(Role::kSender, two);
  net.settle();
  EXPECT_EQ(a.inner.size(), 32U);
  expect_all_open(net);
  EXPECT_TRUE(b.opens(a));
}

TEST(Members, WhoCannotOpenASuiteGetsNoKeyAndNobodyFallsBack) {
  Net net;
  const auto two = [](Member::Options& options) {
    options.layers = 2;
    options.inner = sframe::Suite::kChaCha20Poly1305Sha512;
  };
  auto& a = net.join(Role::kSender, two);
  auto& b = net.join(Role::kSender, [&](Member::Options& options) {
    two(options);
    options.suites = {sframe::kDefaultSuite};
    options.inner = sframe::kDefaultSuite;
  });
  auto& c = net.join(Role::kSender, [](Member::Options&) {});
  net.settle();
  EXPECT_FALSE(b.opens(a));
  EXPECT_TRUE(a.warned(Warning::kUnsupportedSuite, b.number));
  EXPECT_TRUE(a.opens(b)) << "a can open what b seals";
  EXPECT_FALSE(a.opens(c)) << "one layer where two are agreed";
  EXPECT_TRUE(a.warned(Warning::kUnsupportedSuite, c.number));
  EXPECT_FALSE(c.opens(a));
}

TEST(Members, AJoinerGetsNothingOlderAndALeaverNothingNewer) {
  Net net;
  auto& a = net.join();
  net.settle();
  auto& b = net.join();
  net.settle();
  const auto before = a.using_epoch;
  auto& c = net.join();
  net.settle();
  EXPECT_GT(a.using_epoch, before);
  EXPECT_EQ(c.ever.count({a.number, before}), 0U);
  EXPECT_TRUE(c.opens(a) && c.opens(b));
  const auto with_c = a.using_epoch;
  net.leave(c);
  net.settle();
  EXPECT_GT(a.using_epoch, with_c);
  EXPECT_EQ(c.ever.count({a.number, a.using_epoch}), 0U);
  EXPECT_TRUE(b.opens(a) && a.opens(b));
  EXPECT_EQ(a.installed.count({c.number, c.using_kid}), 1U) << "for ten seconds";
  net.run_for(seconds(10));
  EXPECT_EQ(a.installed.size(), 1U);
}

TEST(Members, KeysOfARemovedMemberGoAtOnce) {
  Net net;
  auto& a = net.join();
  auto& b = net.join();
  net.settle();
  ASSERT_EQ(a.installed.size(), 1U);
  net.leave(b, Cause::kRemove);
  net.run_for(net.delay);
  EXPECT_TRUE(a.installed.empty());
}

TEST(Members, OldKeysStayTenSecondsAndNoMoreThanFour) {
  Net net;
  auto& a = net.join();
  auto& b = net.join();
  net.settle();
  for (int i = 0; i < 8; ++i) {
    net.rekey(a.number);
    net.run_for(milliseconds(1100));
    EXPECT_LE(b.installed.size(), 4U);
    EXPECT_TRUE(b.opens(a));
  }
  EXPECT_EQ(b.installed.size(), 4U);
  net.run_for(milliseconds(10100));
  EXPECT_EQ(b.installed.size(), 1U);
  EXPECT_TRUE(b.opens(a));
}

TEST(Members, ReceiversInstallBeforeTheSenderSwitches) {
  Net net;
  auto& a = net.join();
  std::vector<App*> others;
  for (int i = 0; i < 3; ++i) others.push_back(&net.join());
  net.settle();
  int switches = 0;
  net.on_use = [&](App& app, const event::UseKey&) {
    if (&app != &a) return;
    ++switches;
    for (const auto* other : others) EXPECT_TRUE(other->opens(a)) << other->number;
  };
  for (int i = 0; i < 5; ++i) {
    net.rekey(a.number);
    net.run_for(seconds(3));
  }
  EXPECT_EQ(switches, 5);
}

TEST(Members, WithoutAnAcknowledgementTheSenderSwitchesAfterTwoSeconds) {
  Net net;
  auto& a = net.join();
  auto& b = net.join();
  net.settle();
  const auto before = a.using_epoch;
  net.on_letter = [&](MemberNumber from, MemberNumber, const Bytes& letter) {
    return from == b.number ? std::vector<Bytes>{} : std::vector<Bytes>{letter};
  };
  net.rekey(a.number);
  net.run_for(net.delay + milliseconds(100 + 1999));
  EXPECT_EQ(a.using_epoch, before);
  net.run_for(milliseconds(1));
  EXPECT_EQ(a.using_epoch, net.epoch);
}

TEST(Members, ManyChangesWithinASecondAreOneChangeOfKeys) {
  Net net;
  auto& a = net.join();
  net.settle();
  const auto uses = a.uses;
  for (int i = 0; i < 10; ++i) {
    net.join();
    net.run_for(milliseconds(90));
  }
  net.settle();
  EXPECT_LE(a.uses - uses, 3);
  expect_all_open(net);
}

TEST(Members, AKeyIsRenewedByTimeAndByCount) {
  Net net;
  auto& a = net.join();
  auto& b = net.join();
  net.settle();
  auto epoch = net.epoch;
  net.run_for(minutes(29));
  EXPECT_EQ(net.epoch, epoch);
  net.run_for(minutes(32));
  EXPECT_GT(net.epoch, epoch);
  EXPECT_TRUE(b.opens(a) && a.opens(b));
  epoch = net.epoch;
  a.member->frames_sealed((1U << 24U) - 1, net.now);
  net.drain(a);
  net.settle();
  EXPECT_EQ(net.epoch, epoch);
  a.member->frames_sealed(1U << 24U, net.now);
  net.drain(a);
  net.settle();
  EXPECT_EQ(net.epoch, epoch + 1);
  EXPECT_EQ(a.using_epoch, net.epoch);
  EXPECT_EQ(a.stops, 0);
}

TEST(Members, AWornOutKeyIsNotUsedAnyMore) {
  for (const bool by_count : {false, true}) {
    Net net;
    net.grant_rekey = false;
    auto& a = net.join();
    net.settle();
    if (by_count) {
      a.member->frames_sealed(1U << 25U, net.now);
      net.drain(a);
    } else {
      net.run_for(minutes(89));
      EXPECT_EQ(a.stops, 0);
      EXPECT_GT(a.rekeys, 20);
      net.run_for(minutes(2));
    }
    EXPECT_EQ(a.stops, 1);
    EXPECT_TRUE(a.outer.empty());
    EXPECT_TRUE(a.warned(Warning::kRekeyRefused));
    net.rekey(a.number);
    net.settle();
    EXPECT_FALSE(a.outer.empty()) << "a new epoch brings a new key";
  }
}

TEST(Members, EpochsComeAroundAfter65536) {
  Net net;
  auto& a = net.join();
  auto& b = net.join();
  net.settle();
  const auto kid = a.using_kid;
  const auto old = a.outer;
  net.epoch = a.using_epoch + 65535;
  net.rekey(a.number);
  net.settle();
  EXPECT_EQ(a.using_kid, kid);
  EXPECT_NE(a.outer, old);
  EXPECT_TRUE(b.opens(a));
}

// SOTTO_CHURN_SECONDS sets how long; the long run is five simulated minutes.
TEST(Members, AJoinAndALeaveEverySecond) {
  const char* wanted = std::getenv("SOTTO_CHURN_SECONDS");
  const int length = wanted == nullptr ? 60 : std::atoi(wanted);
  Net net;
  net.delay = milliseconds(60);
  std::vector<App*> stay;
  for (int i = 0; i < 3; ++i) stay.push_back(&net.join());
  net.settle();
  std::map<const App*, milliseconds>
      dark;  // Longest time in which a stayer could not open another.
  std::map<std::pair<App*, App*>, milliseconds> since;
  App* guest = nullptr;
  int guests_that_saw = 0;
  for (int second = 0; second < length; ++second) {
    if (guest != nullptr) {
      guests_that_saw += guest->ever.empty() ? 0 : 1;
      net.leave(*guest);
    }
    guest = &net.join();
    for (int step = 0; step < 50; ++step) {
      net.run_for(milliseconds(20));
      for (auto* sender : stay) {
        for (auto* receiver : stay) {
          if (sender == receiver) continue;
          ASSERT_TRUE(receiver->opens(*sender)) << "second " << second;
        }
      }
    }
  }
  net.leave(*guest);
  net.settle();
  for (const auto& [number, app] : net.apps) {
    EXPECT_FALSE(app->warned(Warning::kGhost) || app->warned(Warning::kRosterMismatch));
    if (!app->gone) continue;
    for (const auto* sender : stay) {
      EXPECT_EQ(app->ever.count({sender->number, sender->using_epoch}), 0U);
    }
  }
  EXPECT_GT(guests_that_saw, length * 4 / 5) << "a second suffices to join";
  EXPECT_GT(stay[0]->uses, length / 2);
  expect_all_open(net);
}

}  // namespace
}  // namespace sotto::keys
