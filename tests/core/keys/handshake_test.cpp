// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// Two devices and what a server between them may do to their handshake and letters.
#include "tests/core/keys/support.h"

namespace sotto::keys {
namespace {

struct Pair {
  Device i;
  Device r;
  Pairing pairing{"team", Bytes(16, 7), 9, 4, {5, 0xF001}, {}};
  Pairing responders_pairing = pairing;
  Bytes hello, reply, finish;

  /// What the server does to each message.
  std::function<void(Bytes&)> on_hello, on_reply, on_finish;

  struct Ends {
    Channel i;
    Channel r;
  };
  Result<Ends> run() {
    auto bundle = parse_bundle(r.prekeys.bundle(), kToday);
    auto start = Initiator::start(pairing, *i.identity, *bundle, i.continuity.find(r.id()),
                                  *Ephemerals::generate());
    if (!start) return tl::unexpected<Error>(start.error());
    hello = start->hello();
    if (on_hello) on_hello(hello);
    auto answer = Responder::answer(responders_pairing, *r.identity, r.prekeys, i.identity->pub(),
                                    r.continuity.find(i.id()), *Ephemerals::generate(), hello);
    if (!answer) return tl::unexpected<Error>(answer.error());
    reply = answer->reply();
    if (on_reply) on_reply(reply);
    auto done = start->finish(reply, *i.identity);
    if (!done) return tl::unexpected<Error>(done.error());
    finish = done->finish;
    if (on_finish) on_finish(finish);
    auto channel = answer->finish(finish);
    if (!channel) return tl::unexpected<Error>(channel.error());
    return Ends{std::move(done->channel), std::move(*channel)};
  }
  void retain(const Ends& ends) {
    i.continuity.retain(r.id(), ends.i.fresh_retained(), ends.i.used_retained(), kToday);
    r.continuity.retain(i.id(), ends.r.fresh_retained(), ends.r.used_retained(), kToday);
  }
};

std::string text(const Secret& secret) { return std::string(as_text(secret.view())); }

TEST(Handshake, EndsInAChannelBothWays) {
  Pair pair;
  auto ends = pair.run();
  ASSERT_TRUE(ends) << ends.error().message;
  EXPECT_EQ(ends->i.transcript(), ends->r.transcript());
  EXPECT_TRUE(equal_constant_time(ends->i.sas_secret(), ends->r.sas_secret()));
  EXPECT_FALSE(equal_constant_time(ends->i.sas_secret().first(32), ends->i.sas_secret().last(32)))
      << "the layers are independent";
  EXPECT_EQ(ends->i.suites(), (std::vector<std::uint16_t>{5, 0xF001}));
  EXPECT_FALSE(ends->i.continuity_broken() || ends->r.continuity_broken());
  for (int n = 0; n < 3; ++n) {
    const auto there = *ends->i.seal(as_bytes("there"));
    const auto back = *ends->r.seal(as_bytes("back"), as_bytes("and again"));
    EXPECT_EQ(text(ends->r.open(there)->box1), "there");
    const auto opened = ends->i.open(back);
    ASSERT_TRUE(opened);
    EXPECT_EQ(text(opened->box1) + text(opened->box2), "backand again");
  }
}

TEST(Handshake, EveryAlteredByteEndsIt) {
  Pair pair;
  const auto bundle = *parse_bundle(pair.r.prekeys.bundle(), kToday);
  const auto start =
      *Initiator::start(pair.pairing, *pair.i.identity, bundle, nullptr, *Ephemerals::generate());
  const auto answer = [&](ByteView hello) {
    return Responder::answer(pair.pairing, *pair.r.identity, pair.r.prekeys, pair.i.identity->pub(),
                             nullptr, *Ephemerals::generate(), hello);
  };
  const auto altered = [](Bytes bytes, std::size_t at) {
    bytes[at] ^= 1U;
    return bytes;
  };
  for (std::size_t at = 0; at < start.hello().size(); ++at) {
    const auto answered = answer(altered(start.hello(), at));
    EXPECT_FALSE(answered && start.finish(answered->reply(), *pair.i.identity)) << "hello, " << at;
  }
  auto answered = answer(start.hello());
  ASSERT_TRUE(answered);
  for (std::size_t at = 0; at < answered->reply().size(); ++at) {
    EXPECT_FALSE(start.finish(altered(answered->reply(), at), *pair.i.identity)) << "reply, " << at;
  }
  const auto done = start.finish(answered->reply(), *pair.i.identity);
  ASSERT_TRUE(done);
  for (std::size_t at = 0; at < done->finish.size(); ++at) {
    EXPECT_FALSE(answered->finish(altered(done->finish, at))) << "finish, " << at;
  }
  EXPECT_TRUE(answered->finish(done->finish));
}

TEST(Handshake, EveryCutEndsIt) {
  Pair pair;
  for (std::size_t at = 0; at < 400; at += 7) {
    const auto cut = [at](Bytes& bytes) {
      if (at < bytes.size())
        bytes.resize(at);
      else
        bytes.push_back(0);
    };
    for (auto* which : {&pair.on_hello, &pair.on_reply, &pair.on_finish}) {
      *which = cut;
      EXPECT_FALSE(pair.run());
      *which = nullptr;
    }
  }
  EXPECT_TRUE(pair.run());
}

TEST(Handshake, BelongsToOneGroupSessionAndPair) {
  const auto refused = [](auto change) {
    Pair pair;
    change(pair.responders_pairing);
    return !pair.run();
  };
  EXPECT_TRUE(refused([](Pairing& p) { p.group = "team2"; }));
  EXPECT_TRUE(refused([](Pairing& p) { p.session[3] = 0; }));
  EXPECT_TRUE(refused([](Pairing& p) { p.initiator = 8; }));
  EXPECT_TRUE(refused([](Pairing& p) { p.responder = 5; }));
}

TEST(Handshake, AnotherIdentityThanTheRostersIsRefused) {
  Pair pair;
  Device other;
  auto bundle = parse_bundle(pair.r.prekeys.bundle(), kToday);
  auto start =
      Initiator::start(pair.pairing, *other.identity, *bundle, nullptr, *Ephemerals::generate());
  EXPECT_FALSE(Responder::answer(pair.pairing, *pair.r.identity, pair.r.prekeys,
                                 pair.i.identity->pub(), nullptr, *Ephemerals::generate(),
                                 start->hello()));
  // A man in the middle answers with an identity of his own, though the hello names the roster's.
  const auto own =
      *Initiator::start(pair.pairing, *pair.i.identity, *bundle, nullptr, *Ephemerals::generate());
  Device middle;
  EXPECT_FALSE(Responder::answer(pair.pairing, *middle.identity, middle.prekeys,
                                 pair.i.identity->pub(), nullptr, *Ephemerals::generate(),
                                 own.hello()));
}

TEST(Handshake, AnOldPrekeyIsTakenAndAnOlderOneNot) {
  Pair pair;
  const auto bundle = *parse_bundle(pair.r.prekeys.bundle(), kToday);
  const auto start =
      *Initiator::start(pair.pairing, *pair.i.identity, bundle, nullptr, *Ephemerals::generate());
  const auto answer = [&] {
    return Responder::answer(pair.pairing, *pair.r.identity, pair.r.prekeys, pair.i.identity->pub(),
                             nullptr, *Ephemerals::generate(), start.hello());
  };
  ASSERT_TRUE(*pair.r.prekeys.renew(*pair.r.identity, kToday + kPrekeyRenewal));
  const auto answered = answer();
  ASSERT_TRUE(answered);
  EXPECT_TRUE(start.finish(answered->reply(), *pair.i.identity));
  ASSERT_TRUE(*pair.r.prekeys.renew(*pair.r.identity, kToday + 2 * kPrekeyRenewal));
  EXPECT_FALSE(answer());
}

TEST(Handshake, TheGroupSecretMustBeTheSame) {
  Pair pair;
  const auto secret = Secret::random(32);
  const auto other = Secret::random(32);
  pair.pairing.group_secret = secret.view();
  EXPECT_FALSE(pair.run()) << "only one has it";
  pair.responders_pairing.group_secret = other.view();
  EXPECT_FALSE(pair.run()) << "another one";
  pair.responders_pairing.group_secret = secret.view();
  EXPECT_TRUE(pair.run());
  pair.pairing.group_secret = {};
  EXPECT_FALSE(pair.run());
}

TEST(Handshake, RetainedSecretsTieOneToTheNext) {
  Pair pair;
  auto first = pair.run();
  ASSERT_TRUE(first);
  EXPECT_TRUE(first->i.used_retained().empty());
  pair.retain(*first);
  auto second = pair.run();
  ASSERT_TRUE(second);
  EXPECT_TRUE(equal_constant_time(second->i.used_retained(), first->i.fresh_retained().view()));
  EXPECT_TRUE(equal_constant_time(second->r.used_retained(), second->i.used_retained()));
  EXPECT_FALSE(second->i.continuity_broken() || second->r.continuity_broken());
}

TEST(Handshake, OneSideThatDidNotWriteIsNoBreak) {
  Pair pair;
  pair.retain(*pair.run());
  for (int n = 0; n < 5; ++n) {  // Only the responder writes, again and again.
    auto ends = pair.run();
    ASSERT_TRUE(ends);
    EXPECT_FALSE(ends->i.continuity_broken() || ends->r.continuity_broken()) << n;
    pair.r.continuity.retain(pair.i.id(), ends->r.fresh_retained(), ends->r.used_retained(),
                             kToday);
  }
}

TEST(Handshake, AForgottenPastIsNoticed) {
  Pair pair;
  pair.retain(*pair.run());
  pair.r.continuity.forget(pair.i.id());
  auto ends = pair.run();
  ASSERT_TRUE(ends);
  EXPECT_TRUE(ends->i.continuity_broken());
  EXPECT_FALSE(ends->r.continuity_broken());
  pair.retain(*ends);
  pair.i.continuity.forget(pair.r.id());
  ends = pair.run();
  ASSERT_TRUE(ends);
  EXPECT_FALSE(ends->i.continuity_broken());
  EXPECT_TRUE(ends->r.continuity_broken());
}

TEST(Letters, AreTakenOnceAndInOrder) {
  Pair pair;
  auto ends = *pair.run();
  std::vector<Bytes> sent;
  for (int n = 0; n < 4; ++n) sent.push_back(*ends.i.seal(as_bytes("letter")));
  EXPECT_TRUE(ends.r.open(sent[0]));
  EXPECT_FALSE(ends.r.open(sent[0])) << "repeated";
  EXPECT_TRUE(ends.r.open(sent[2])) << "one was lost";
  EXPECT_FALSE(ends.r.open(sent[1])) << "late";
  EXPECT_TRUE(ends.r.open(sent[3]));
  EXPECT_FALSE(ends.i.open(sent[3])) << "reflected";
}

TEST(Letters, EveryAlteredByteIsRefusedAndChangesNothing) {
  Pair pair;
  auto ends = *pair.run();
  const auto letter = *ends.i.seal(as_bytes("one"), as_bytes("two"));
  for (std::size_t at = 0; at < letter.size(); ++at) {
    for (const unsigned bit : {1U, 0x80U}) {
      auto wrong = letter;
      wrong[at] = static_cast<std::uint8_t>(wrong[at] ^ bit);
      EXPECT_FALSE(ends.r.open(wrong)) << at;
    }
    EXPECT_FALSE(ends.r.open(ByteView(letter).first(at)));
  }
  EXPECT_TRUE(ends.r.open(letter));
}

TEST(Letters, OfAnotherChannelAreRefused) {
  Pair pair;
  auto one = *pair.run();
  auto two = *pair.run();
  EXPECT_FALSE(two.r.open(*one.i.seal(as_bytes("letter"))));
}

}  // namespace
}  // namespace sotto::keys
