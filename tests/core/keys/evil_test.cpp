// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// A server that lies, and a member that does: who gets no key, and what is shown.
#include "core/keys/words.h"
#include "tests/core/keys/net.h"

#include <random>

namespace sotto::keys {
namespace {

void hide(std::vector<RosterEntry>& roster, MemberNumber member) {
  std::erase_if(roster, [&](const auto& each) { return each.number == member; });
}

RosterEntry& entry_of(std::vector<RosterEntry>& roster, MemberNumber member) {
  return *std::find_if(roster.begin(), roster.end(),
                       [&](const auto& each) { return each.number == member; });
}

TEST(Evil, AGhostShownToOneMemberGetsNoKeyAndIsShown) {
  Net net;
  auto& a = net.join();
  auto& b = net.join();
  net.settle();
  ASSERT_TRUE(b.opens(a));
  net.on_roster = [&](MemberNumber viewer, auto& roster) {
    if (viewer == b.number) hide(roster, 3);
  };
  auto& ghost = net.join(Role::kViewer);
  net.settle();
  EXPECT_TRUE(ghost.ever.empty());
  EXPECT_TRUE(a.peer(ghost).channel);
  EXPECT_FALSE(a.peer(ghost).admitted);
  EXPECT_TRUE(a.warned(Warning::kGhost, ghost.number));
  EXPECT_TRUE(a.warned(Warning::kRosterMismatch, b.number));
  EXPECT_TRUE(b.warned(Warning::kRosterMismatch, a.number));
  EXPECT_NE(a.member->group_code(), b.member->group_code());
  for (int i = 0; i < 5; ++i) {
    net.rekey(a.number);
    net.settle();
    EXPECT_TRUE(ghost.ever.empty());
  }
  // The lie ends: the others go on, and the guest is a visible member now.
  net.on_roster = nullptr;
  net.rekey(a.number);
  net.settle();
  EXPECT_TRUE(b.opens(a) && a.opens(b));
}

TEST(Evil, AGhostShownToANewcomerGetsNoKeyOfTheNewcomer) {
  Net net;
  auto& a = net.join();
  auto& b = net.join();
  net.settle();
  net.on_roster = [&](MemberNumber viewer, auto& roster) {
    if (viewer < 3) hide(roster, 3);  // The ghost came just before the newcomer.
  };
  auto& ghost = net.join(Role::kViewer);
  auto& fresh = net.join();
  net.settle();
  EXPECT_TRUE(ghost.ever.empty());
  EXPECT_TRUE(fresh.warned(Warning::kRosterMismatch, a.number));
  EXPECT_TRUE(fresh.warned(Warning::kRosterMismatch, b.number));
  EXPECT_TRUE(fresh.warned(Warning::kGhost, ghost.number));
  EXPECT_TRUE(b.opens(a)) << "those who were there go on";
}

TEST(Evil, AMemberWhoseStatementsAreHeldBackLetsNobodyIn) {
  Net net;
  auto& a = net.join();
  auto& b = net.join();
  net.settle();
  net.on_letter = [&](MemberNumber from, MemberNumber, const Bytes& letter) {
    return from == b.number ? std::vector<Bytes>{} : std::vector<Bytes>{letter};
  };
  auto& guest = net.join();
  net.run_for(minutes(5));
  EXPECT_TRUE(guest.ever.empty()) << "no time-out lets anybody in";
  EXPECT_TRUE(a.warned(Warning::kUnconfirmed, b.number));
  net.leave(b);
  net.on_letter = nullptr;
  net.settle();
  EXPECT_TRUE(guest.opens(a) && a.opens(guest));
}

TEST(Evil, TheGroupSecretKeepsOutWhoWasShownToEverybody) {
  Net net;
  const auto invited = [](Member::Options& options) {
    options.group_secret = Secret::copy_of(Bytes(32, 0x5A));
  };
  auto& a = net.join(Role::kSender, invited);
  auto& b = net.join(Role::kSender, invited);
  net.settle();
  ASSERT_TRUE(b.opens(a));
  auto& ghost = net.join();
  net.settle();
  EXPECT_TRUE(ghost.ever.empty());
  EXPECT_TRUE(ghost.warned(Warning::kHandshakeFailed, a.number));
  EXPECT_FALSE(a.peer(ghost).channel);
  EXPECT_TRUE(b.opens(a));
  net.run_for(seconds(11));
  EXPECT_TRUE(a.warned(Warning::kNoChannel, ghost.number));
}

TEST(Evil, KnownOnlyKeepsStrangersOutUntilTheUserAccepts) {
  Net net;
  const auto known = [](Member::Options& options) { options.admission = Admission::kKnown; };
  auto& a = net.join(Role::kSender, known);
  auto& b = net.join();
  net.settle();
  EXPECT_FALSE(b.opens(a));
  EXPECT_FALSE(a.opens(b)) << "nor is its key taken";
  EXPECT_TRUE(a.warned(Warning::kNotAdmitted, b.number));
  ASSERT_TRUE(a.member->accept(b.number, net.now));
  net.drain(a);
  net.settle();
  EXPECT_TRUE(b.opens(a) && a.opens(b));
}

TEST(Evil, AManInTheMiddleHasOtherWordsAndAnotherCode) {
  Net left;  // The server shows A its own identity as member 2, and B its own as member 1.
  Net right;
  right.session = left.session;
  auto& a = left.join();
  auto& as_b = left.join();
  auto& as_a = right.join();
  auto& b = right.join();
  left.settle();
  right.settle();
  ASSERT_TRUE(as_b.opens(a) && b.opens(as_a)) << "without comparing it goes unnoticed";
  EXPECT_NE(a.member->group_code(), b.member->group_code());
  EXPECT_NE(a.member->roster_hash(), b.member->roster_hash());
  ASSERT_TRUE(a.member->start_sas(2, left.now));
  ASSERT_TRUE(as_a.member->start_sas(2, right.now));
  left.drain(a);
  right.drain(as_a);
  left.settle();
  right.settle();
  EXPECT_EQ(a.words.at(2).words, as_b.words.at(1).words);
  EXPECT_NE(a.words.at(2).words, b.words.at(1).words);
  EXPECT_NE(a.words.at(2).emoji, b.words.at(1).emoji);
  ASSERT_TRUE(a.member->sas_matches(2, false, left.now));
  left.drain(a);
  EXPECT_FALSE(a.words_done.at(2));
  EXPECT_TRUE(a.warned(Warning::kSasMismatch, 2));
}

TEST(Evil, PrekeysThatTheIdentityDidNotSignGetNoHandshake) {
  for (const bool another : {false, true}) {
    Net net;
    Device stranger;
    net.on_roster = [&](MemberNumber viewer, auto& roster) {
      if (viewer != 2) return;
      auto& prekeys = entry_of(roster, 1).prekeys;
      if (another) {
        prekeys = stranger.prekeys.bundle();
      } else {
        prekeys[prekeys.size() / 2] ^= 1U;
      }
    };
    auto& a = net.join();
    auto& b = net.join();
    net.settle();
    EXPECT_TRUE(b.warned(Warning::kBadMember, a.number));
    EXPECT_FALSE(b.opens(a) || a.opens(b));
  }
}

TEST(Evil, AMemberWithoutIdentityIsShownAndGetsNothing) {
  Net net;
  net.on_roster = [](MemberNumber viewer, auto& roster) {
    if (viewer == 1 && roster.size() > 1) entry_of(roster, 2).identity.clear();
  };
  auto& a = net.join();
  auto& b = net.join();
  net.settle();
  EXPECT_TRUE(a.warned(Warning::kBadMember, b.number));
  EXPECT_TRUE(b.ever.empty());
}

TEST(Evil, AnotherIdentityUnderAKnownNameGetsNoKeyUntilAccepted) {
  Device alice;
  {
    Net before;
    before.name(1, "bob");
    before.join();
    before.join(Role::kSender, {}, &alice);
    before.settle();
  }
  Net net;
  net.name(1, "bob");
  auto& impostor = net.join();
  auto& a = net.join(Role::kSender, {}, &alice);
  net.settle();
  EXPECT_TRUE(a.warned(Warning::kIdentityChanged, impostor.number));
  EXPECT_FALSE(impostor.opens(a) || a.opens(impostor));
  ASSERT_TRUE(a.member->accept(impostor.number, net.now));
  net.drain(a);
  net.settle();
  EXPECT_TRUE(impostor.opens(a) && a.opens(impostor));
}

TEST(Evil, ASignedSuccessorIsTakenAndSaid) {
  Device alice;
  Device bob;
  {
    Net before;
    before.name(1, "bob");
    before.join(Role::kSender, {}, &bob);
    before.join(Role::kSender, {}, &alice);
    before.settle();
  }
  alice.continuity.find(bob.id())->verified = true;
  Device heir;
  ASSERT_TRUE(heir.prekeys.set_succession(*heir.identity, *bob.identity));
  Net net;
  net.name(1, "bob");
  auto& b = net.join(Role::kSender, {}, &heir);
  auto& a = net.join(Role::kSender, {}, &alice);
  net.settle();
  EXPECT_TRUE(a.warned(Warning::kIdentitySucceeded, b.number));
  EXPECT_TRUE(b.opens(a) && a.opens(b));
  EXPECT_TRUE(a.peer(b).verified);
}

TEST(Evil, AStolenIdentityWithoutTheSharedPastIsNoticed) {
  Device alice;
  Device bob;
  const auto meet = [&] {
    auto net = std::make_unique<Net>();
    net->join(Role::kSender, {}, &bob);
    net->join(Role::kSender, {}, &alice);
    net->settle();
    return net;
  };
  meet();
  alice.continuity.find(bob.id())->verified = true;
  auto again = meet();
  EXPECT_TRUE(again->apps.at(2)->warnings.empty());
  EXPECT_TRUE(again->apps.at(2)->peer(*again->apps.at(1)).verified);
  bob.continuity = Continuity();  // The thief has the key, not the table.
  auto stolen = meet();
  EXPECT_TRUE(stolen->apps.at(2)->warned(Warning::kContinuityBroken, 1));
  EXPECT_FALSE(stolen->apps.at(2)->peer(*stolen->apps.at(1)).verified);
}

TEST(Evil, RostersThatMakeNoSenseStopEverything) {
  using Change = std::function<void(std::vector<RosterEntry>&, std::uint64_t&)>;
  const Change changes[] = {
      [](auto&, std::uint64_t& epoch) { --epoch; },
      [](auto&, std::uint64_t& epoch) { epoch = 0; },
      [](auto& roster, std::uint64_t&) { hide(roster, 1); },
      [](auto& roster, std::uint64_t&) { std::swap(roster[0], roster[1]); },
      [](auto& roster, std::uint64_t&) { roster.push_back(roster[1]); },
      [](auto& roster, std::uint64_t&) { roster[1].identity = Device().spki(); },
      [](auto& roster, std::uint64_t&) { roster[1].role = Role::kViewer; },
      [](auto& roster, std::uint64_t&) { roster[0].identity = Device().spki(); },
      [](auto& roster, std::uint64_t&) {
        while (roster.size() <= kMaxMembers) {
          auto entry = roster.back();
          ++entry.number;
          roster.push_back(entry);
        }
      },
  };
  for (const auto& change : changes) {
    Net net;
    auto& a = net.join();
    auto& b = net.join();
    net.settle();
    ASSERT_TRUE(a.opens(b));
    auto roster = net.roster();
    auto epoch = net.epoch + 1;
    change(roster, epoch);
    EXPECT_FALSE(a.member->epoch(epoch, Cause::kRekey, 1, roster, net.now));
    net.drain(a);
    EXPECT_TRUE(a.installed.empty());
    EXPECT_EQ(a.stops, 1);
    EXPECT_TRUE(a.warned(Warning::kRosterRefused));
    EXPECT_EQ(a.member->next_deadline(), milliseconds::max());
    EXPECT_FALSE(a.member->epoch(net.epoch + 2, Cause::kRekey, 1, net.roster(), net.now));
  }
}

TEST(Evil, ANumberThatWasGivenBackIsNotGivenAgain) {
  Net net;
  auto& a = net.join();
  auto& b = net.join();
  net.settle();
  auto full = net.roster();
  net.leave(b);
  net.settle();
  entry_of(full, b.number).identity = Device().spki();
  EXPECT_FALSE(a.member->epoch(net.epoch + 1, Cause::kJoin, b.number, full, net.now));
  net.drain(a);
  EXPECT_TRUE(a.warned(Warning::kRosterRefused));
  EXPECT_EQ(a.stops, 1);
}

TEST(Evil, RepeatedLettersChangeNothing) {
  Net net;
  std::uint64_t copies = 0;
  net.on_letter = [&](MemberNumber, MemberNumber, const Bytes& letter) {
    copies += 2;
    return std::vector<Bytes>{letter, letter, letter};
  };
  std::uint64_t installs = 0;
  net.on_install = [&](App&, const event::InstallKey&) { ++installs; };
  for (int i = 0; i < 3; ++i) net.join();
  net.settle();
  net.rekey(1);
  net.settle();
  std::uint64_t dropped = 0;
  std::set<std::pair<MemberNumber, std::pair<MemberNumber, std::uint64_t>>> keys;
  for (const auto& [number, app] : net.apps) {
    dropped += app->member->dropped();
    for (const auto& key : app->ever) keys.insert({number, key});
    for (const auto& [other, sender] : net.apps) {
      if (other != number) {
        EXPECT_TRUE(app->opens(*sender));
      }
    }
  }
  EXPECT_EQ(installs, keys.size()) << "each once";
  EXPECT_GT(dropped, copies / 2);
}

TEST(Evil, WhatWasRecordedOpensNothingInALaterSession) {
  Net net;
  net.record_wire = true;
  Device alice;
  Device bob;
  net.join(Role::kSender, {}, &alice);
  net.join(Role::kSender, {}, &bob);
  net.settle();
  Net later;
  later.join(Role::kSender, {}, &alice);
  later.run_for(seconds(1));
  auto& b = later.join(Role::kSender, {}, &bob);
  later.on_letter = [](MemberNumber, MemberNumber, const Bytes&) { return std::vector<Bytes>{}; };
  for (const auto& [from, to, letter] : net.wire) later.deliver(from, to, letter);
  later.settle();
  EXPECT_TRUE(b.ever.empty());
  EXPECT_TRUE(later.apps.at(1)->ever.empty());
}

TEST(Evil, LossReorderingAndDamageOnlyDeny) {
  std::mt19937 random(20261123);
  for (int round = 0; round < 12; ++round) {
    Net net;
    std::vector<Bytes> late;
    net.on_letter = [&](MemberNumber, MemberNumber, const Bytes& letter) {
      std::vector<Bytes> out{letter};
      switch (random() % 6) {
        case 0: return std::vector<Bytes>{};
        case 1: out[0][random() % letter.size()] ^= 1U; break;
        case 2: late.push_back(letter); return std::vector<Bytes>{};
        case 3:
          if (!late.empty()) {
            out.push_back(late.back());
            late.pop_back();
          }
          break;
        default: break;
      }
      return out;
    };
    for (int i = 0; i < 4; ++i) {
      net.join();
      net.run_for(milliseconds(300));
    }
    for (int i = 0; i < 5; ++i) {
      net.rekey(1);
      net.run_for(milliseconds(1500));
    }
    // Net checks that nobody has a key of an epoch he was not in and that no key is used twice.
    for (const auto& [number, app] : net.apps) {
      EXPECT_FALSE(app->warned(Warning::kRosterMismatch) || app->warned(Warning::kGhost));
      for (const auto& [of, key] : app->installed) {
        EXPECT_EQ(key.first.size(), 32U);
      }
    }
  }
}

/// A member that says what it likes: number 2, so that it begins the handshake.
struct Puppet {
  Net net;
  App& a = net.join();
  Device device;
  std::optional<Channel> channel;
  std::vector<Bytes> from_a;

  explicit Puppet(Role role = Role::kSender) {
    net.settle();
    net.on_letter = [this](MemberNumber, MemberNumber, const Bytes& letter) {
      from_a.push_back(letter);
      return std::vector<Bytes>{};
    };
    enter(Cause::kJoin, role);
    const Pairing pairing{"team", net.session, 2, 1, {5}, {}};
    const auto bundle = *parse_bundle(a.device->prekeys.bundle(), kToday);
    const auto start =
        *Initiator::start(pairing, *device.identity, bundle, nullptr, *Ephemerals::generate());
    give(start.hello());
    auto done = start.finish(from_a.at(0), *device.identity);
    EXPECT_TRUE(done);
    channel = std::move(done->channel);
    give(done->finish);
  }
  void enter(Cause cause, Role role = Role::kSender) {
    auto roster = net.roster();
    roster.push_back({2, role, device.spki(), device.prekeys.bundle(), ""});
    EXPECT_TRUE(a.member->epoch(++net.epoch, cause, 2, roster, net.now));
    a.epochs.insert(net.epoch);
    net.drain(a);
  }
  bool give(const Bytes& letter) {
    const bool taken = a.member->message(2, letter, net.now).has_value();
    net.drain(a);
    return taken;
  }
  bool say(ByteView box1, ByteView box2 = {}) { return give(*channel->seal(box1, box2)); }
  Sha512 hash() const {
    Sha512 out;
    const auto bytes = a.member->roster_hash();
    std::copy(bytes.begin(), bytes.end(), out.begin());
    return out;
  }
  Statement statement(std::uint64_t epoch, const Sha512& hash) const {
    return {epoch, hash,
            *device.identity->sign(signed_statement("team", net.session, epoch, 2, hash))};
  }
  KeyNote key() const {
    KeyNote note;
    note.epoch = net.epoch;
    note.kid = call_kid(2, net.epoch);
    note.suite = 5;
    note.key = Secret::random(32);
    note.hash = hash();
    return note;
  }
  /// The contents of what A said last.
  Result<Content> last() {
    auto letter = channel->open(from_a.back());
    EXPECT_TRUE(letter);
    return parse_content(letter->box1.view());
  }
};

TEST(Insider, OnlyAGoodKeyIsInstalledAndOnlyOnce) {
  Puppet puppet;
  const auto refused = [&](auto change) {
    auto note = puppet.key();
    change(note);
    return !puppet.say(print(note).view());
  };
  EXPECT_TRUE(refused([](KeyNote& note) { note.kid = call_kid(1, note.epoch); }));
  EXPECT_TRUE(refused([](KeyNote& note) { note.kid = call_kid(2, note.epoch, 1); }));
  EXPECT_TRUE(refused([](KeyNote& note) { note.kid ^= 1U; }));
  EXPECT_TRUE(refused([](KeyNote& note) { note.hash[0] ^= 1U; }));
  EXPECT_TRUE(refused([](KeyNote& note) { note.suite = 0xF001 + 1; }));
  EXPECT_TRUE(refused([](KeyNote& note) { note.layers = 2; }));
  EXPECT_TRUE(refused([](KeyNote& note) { note.epoch -= 1; }));
  EXPECT_TRUE(refused([](KeyNote& note) {
    note.epoch += 1;
    note.kid = call_kid(2, note.epoch);
  }));
  const auto inner = print(InnerKeyNote{1, 2, 5, Secret::random(32)});
  EXPECT_FALSE(puppet.say(print(puppet.key()).view(), inner.view())) << "one layer was said";
  EXPECT_FALSE(puppet.say(inner.view()));
  EXPECT_TRUE(puppet.a.installed.empty());
  EXPECT_TRUE(puppet.say(print(puppet.key()).view()));
  EXPECT_EQ(puppet.a.installed.size(), 1U);
  EXPECT_EQ(std::get<Ack>(*puppet.last()).epoch, puppet.net.epoch);
  EXPECT_FALSE(puppet.say(print(puppet.key()).view())) << "a second key of one epoch";
  EXPECT_EQ(puppet.a.ever.size(), 1U);
  puppet.enter(Cause::kRekey);
  EXPECT_TRUE(puppet.say(print(puppet.key()).view()));
}

TEST(Insider, AViewersKeyIsRefused) {
  Puppet puppet(Role::kViewer);
  EXPECT_FALSE(puppet.say(print(puppet.key()).view()));
}

TEST(Insider, NoKeyWithoutAGoodStatement) {
  Puppet puppet;
  auto& net = puppet.net;
  auto unsigned_one = puppet.statement(net.epoch, puppet.hash());
  unsigned_one.signature[5] ^= 1U;
  EXPECT_FALSE(puppet.say(print(unsigned_one)));
  auto anothers = puppet.statement(net.epoch, puppet.hash());
  anothers.signature = *puppet.a.device->identity->sign(
      signed_statement("team", net.session, net.epoch, 1, puppet.hash()));
  EXPECT_FALSE(puppet.say(print(anothers))) << "A's own statement, given back";
  EXPECT_FALSE(puppet.say(print(puppet.statement(net.epoch + 1, puppet.hash()))));
  const auto before = puppet.from_a.size();
  net.run_for(seconds(3));
  EXPECT_EQ(puppet.from_a.size(), before) << "no key yet";
  EXPECT_FALSE(puppet.say(print(Ack{net.epoch}))) << "of a key that was not sent";
  EXPECT_TRUE(puppet.say(print(puppet.statement(net.epoch, puppet.hash()))));
  ASSERT_EQ(puppet.from_a.size(), before + 1);
  EXPECT_EQ(std::get<KeyNote>(*puppet.last()).epoch, net.epoch);
  EXPECT_FALSE(puppet.say(print(puppet.statement(net.epoch, puppet.hash()))));
  EXPECT_TRUE(puppet.say(print(Ack{net.epoch})));
  EXPECT_FALSE(puppet.say(print(Ack{net.epoch})));
}

TEST(Insider, AnotherRosterIsNamedAndGetsNoKey) {
  Puppet puppet;
  auto wrong = puppet.hash();
  wrong[63] ^= 1U;
  const auto before = puppet.from_a.size();
  EXPECT_TRUE(puppet.say(print(puppet.statement(puppet.net.epoch, wrong))));
  EXPECT_FALSE(puppet.say(print(puppet.statement(puppet.net.epoch, puppet.hash()))))
      << "no second thoughts";
  puppet.net.run_for(seconds(3));
  EXPECT_EQ(puppet.from_a.size(), before);
  EXPECT_TRUE(puppet.a.warned(Warning::kRosterMismatch, 2));
}

TEST(Insider, ANonceThatWasNotCommittedToEndsTheComparison) {
  Puppet puppet;
  RunId run{1};
  Sha256 nonce{2};
  EXPECT_FALSE(puppet.say(print(SasNote{SasStep::kReveal, run, nonce}))) << "out of turn";
  EXPECT_TRUE(puppet.say(print(SasNote{SasStep::kCommit, run, sas_commitment(run, 2, 1, nonce)})));
  EXPECT_EQ(std::get<SasNote>(*puppet.last()).step, SasStep::kNonce);
  EXPECT_FALSE(puppet.say(print(SasNote{SasStep::kConfirm, run, nonce}))) << "before the words";
  nonce[31] ^= 1U;
  EXPECT_FALSE(puppet.say(print(SasNote{SasStep::kReveal, run, nonce})));
  EXPECT_TRUE(puppet.a.words.empty());
  EXPECT_TRUE(puppet.a.warned(Warning::kSasMismatch, 2));
  EXPECT_FALSE(puppet.a.words_done.at(2));
}

TEST(Insider, AConfirmationOfOtherWordsIsNone) {
  Puppet puppet;
  RunId run{1};
  Sha256 nonce{2};
  EXPECT_TRUE(puppet.say(print(SasNote{SasStep::kCommit, run, sas_commitment(run, 2, 1, nonce)})));
  EXPECT_TRUE(puppet.say(print(SasNote{SasStep::kReveal, run, nonce})));
  EXPECT_EQ(puppet.a.words.size(), 1U);
  ASSERT_TRUE(puppet.a.member->sas_matches(2, true, puppet.net.now));
  puppet.net.drain(puppet.a);
  EXPECT_FALSE(puppet.say(print(SasNote{SasStep::kConfirm, run, nonce})));
  EXPECT_FALSE(puppet.a.words_done.at(2));
  EXPECT_FALSE(puppet.a.device->continuity.find(puppet.device.id())->verified);
}

TEST(Insider, HandshakesAreBoundedAndEndWithTheChannel) {
  Puppet puppet;
  EXPECT_FALSE(puppet.give(puppet.from_a.at(0))) << "its own reply";
  const auto bundle = *parse_bundle(puppet.a.device->prekeys.bundle(), kToday);
  const auto again =
      *Initiator::start({"team", puppet.net.session, 2, 1, {5}, {}}, *puppet.device.identity,
                        bundle, nullptr, *Ephemerals::generate());
  EXPECT_FALSE(puppet.give(again.hello())) << "the channel is open";

  Net net;
  auto& a = net.join();
  net.settle();
  Device device;
  auto roster = net.roster();
  roster.push_back({2, Role::kSender, device.spki(), device.prekeys.bundle(), ""});
  ASSERT_TRUE(a.member->epoch(++net.epoch, Cause::kJoin, 2, roster, net.now));
  int answered = 0;
  for (int i = 0; i < 20; ++i) {
    const auto start = *Initiator::start({"team", net.session, 2, 1, {5}, {}}, *device.identity,
                                         *parse_bundle(a.device->prekeys.bundle(), kToday), nullptr,
                                         *Ephemerals::generate());
    answered += a.member->message(2, start.hello(), net.now) ? 1 : 0;
  }
  EXPECT_EQ(answered, 8);
  EXPECT_FALSE(a.member->message(2, Bytes(kMaxPayload + 1), net.now));
  EXPECT_FALSE(a.member->message(3, Bytes(10), net.now));
}

}  // namespace
}  // namespace sotto::keys
