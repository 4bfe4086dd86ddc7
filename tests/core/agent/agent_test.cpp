// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/agent/epochs.h"
#include "tests/fuzz/mutator.h"

#include <gtest/gtest.h>

#include <numeric>
#include <set>

namespace sotto::agent {
namespace {

using std::chrono::seconds;

constexpr Time kStart{};

e2ee::FileKey file_key(std::uint8_t first = 0) {
  e2ee::FileKey out{sframe::kDefaultSuite, Secret(e2ee::kFileKeySize)};
  std::iota(out.key.span().begin(), out.key.span().end(), first);
  return out;
}

template <class T>
T as(ByteView bytes) {
  auto message = parse(bytes.subspan(kLengthSize));
  EXPECT_TRUE(message);
  return std::move(std::get<T>(*message));
}

struct Fixture {
  explicit Fixture(Policy policy = {}, bool two = false)
      : epochs(*Epochs::make(policy, {file_key(), two ? std::optional(file_key(100))
                                                      : std::optional<e2ee::FileKey>()})) {}
  Epochs::Letters say(Client client, const Message& message, Time now = kStart) {
    Epochs::Letters out;
    result = epochs.received(client, message, now, out);
    return out;
  }
  Epochs::Letters tick(Time now) {
    Epochs::Letters out;
    next = *epochs.tick(now, out);
    return out;
  }
  Epochs epochs;
  Result<> result;
  std::optional<Time> next;
};

// docs/encodings.md, "Key agent".
TEST(Messages, AreWrittenAsThePageSays) {
  const auto hex = [](const Message& message) { return to_hex(encode(message).view()); };
  const auto key = [] { return file_key().key.clone(); };
  constexpr std::uint64_t kKid = 0x0123456789abcdef;
  EXPECT_EQ(hex(Hello{Role::kSeal}),
            "0000001b8274736f74746f2f6167656e742f68656c6c6f2f7631647365616c");
  EXPECT_EQ(hex(Need{Layer::kOuter, kKid}),
            "0000001f8373736f74746f2f6167656e742f6e6565642f7631021b0123456789abcdef");
  EXPECT_EQ(hex(OpenWith{Layer::kOuter, sframe::kDefaultSuite, kKid, key()}),
            "000000428573736f74746f2f6167656e742f6f70656e2f763102051b0123456789abcdef58200001020304"
            "05060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f");
  EXPECT_EQ(hex(SealWith{Layer::kInner, sframe::kDefaultSuite, kKid, key(), 1000}),
            "000000458673736f74746f2f6167656e742f7365616c2f763101051b0123456789abcdef58200001020304"
            "05060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f1903e8");
  EXPECT_EQ(hex(Rotate{}), "000000178175736f74746f2f6167656e742f726f746174652f7631");
}

TEST(Messages, EpochKeysAreThoseOfThePage) {
  EXPECT_EQ(*file_tag(file_key()), 0xd826000000000000U);
  EXPECT_EQ(to_hex(epoch_key(file_key(), 0xd826456789abcdef)->view()),
            "44240808ee96b544d747ad6bbfd153004c9d7d08884adad1e54710acd236e36a");
}

TEST(Messages, ComeThroughInAnyPieces) {
  Inbox inbox;
  const auto one = encode(Need{Layer::kInner, 77});
  const auto two = encode(Done{});
  Bytes all(one.view().begin(), one.view().end());
  all.insert(all.end(), two.view().begin(), two.view().end());
  int count = 0;
  for (const auto byte : all) {
    ASSERT_FALSE(inbox.room().empty());
    inbox.room()[0] = byte;
    inbox.received(1);
    const auto message = inbox.next();
    ASSERT_TRUE(message);
    if (*message) ++count;
  }
  EXPECT_EQ(count, 2);
}

TEST(Messages, TheLongestFitsAndALongerOneIsRefused) {
  Secret key(64);
  const auto longest = encode(
      SealWith{Layer::kOuter, sframe::Suite::kChaCha20Poly1305Sha512, ~0ULL, key.clone(), ~0ULL});
  EXPECT_LE(longest.size(), kLengthSize + kMaxMessage);
  Inbox inbox;
  const Bytes head{0, 0, 1, 1};
  std::copy(head.begin(), head.end(), inbox.room().begin());
  inbox.received(head.size());
  EXPECT_EQ(inbox.next().error().code, ErrorCode::kTooLarge);
}

TEST(Messages, OthersAreRefused) {
  for (const char* text : {"", "80", "8174736f74746f2f6167656e742f68656c6c6f2f7631",
                           "8374736f74746f2f6167656e742f68656c6c6f2f7631647365616c00",
                           "8274736f74746f2f6167656e742f68656c6c6f2f763163666f6f",
                           "8373736f74746f2f6167656e742f6e6565642f76310300"}) {
    EXPECT_FALSE(parse(*from_hex(text))) << text;
  }
}

TEST(Messages, FuzzedOnesHaveOneFormOrNone) {
  fuzz::Mutator mutator;
  const auto good =
      encode(OpenWith{Layer::kOuter, sframe::kDefaultSuite, 1ULL << 40U, file_key().key.clone()});
  for (int run = 0; run < fuzz::runs(); ++run) {
    Bytes bytes(good.view().begin() + kLengthSize, good.view().end());
    mutator.mutate_some(bytes);
    const auto read = parse(bytes);
    if (read) {
      ASSERT_EQ(to_hex(encode(*read).view().subspan(kLengthSize)), to_hex(bytes));
    }
  }
}

TEST(Epochs, ReceiversHaveAKeyBeforeItsSender) {
  Fixture agent({}, true);
  EXPECT_TRUE(agent.say(1, Hello{Role::kOpen}).empty());
  const auto letters = agent.say(2, Hello{Role::kSeal});
  ASSERT_EQ(letters.size(), 4U);
  const auto inner = as<OpenWith>(letters[0].bytes.view());
  const auto outer = as<OpenWith>(letters[1].bytes.view());
  EXPECT_EQ(letters[0].to, 1U);
  EXPECT_EQ(letters[1].to, 1U);
  EXPECT_EQ(inner.layer, Layer::kInner);
  const auto seal_inner = as<SealWith>(letters[2].bytes.view());
  const auto seal_outer = as<SealWith>(letters[3].bytes.view());
  EXPECT_EQ(letters[2].to, 2U);
  EXPECT_EQ(seal_inner.layer, Layer::kInner) << "the inner one first";
  EXPECT_EQ(seal_outer.kid, outer.kid);
  EXPECT_EQ(to_hex(seal_outer.key.view()), to_hex(outer.key.view()));
  EXPECT_NE(to_hex(seal_inner.key.view()), to_hex(seal_outer.key.view()));
  EXPECT_NE(to_hex(seal_outer.key.view()), to_hex(file_key().key.view())) << "never the file's";
  const auto late = agent.say(3, Hello{Role::kOpen});
  EXPECT_EQ(late.size(), 2U) << "who comes later has it, too";
}

TEST(Epochs, NoTwoSendersAndNoTwoEpochsShareAKey) {
  Fixture agent;
  std::set<std::string> keys;
  std::set<std::uint64_t> kids;
  const auto note = [&](const Epochs::Letters& letters) {
    for (const auto& letter : letters) {
      const auto with = as<SealWith>(letter.bytes.view());
      EXPECT_TRUE(keys.insert(to_hex(with.key.view())).second);
      EXPECT_TRUE(kids.insert(with.kid).second);
    }
  };
  for (Client client = 1; client <= 20; ++client) note(agent.say(client, Hello{Role::kSeal}));
  for (int round = 0; round < 20; ++round) {
    Epochs::Letters letters;
    ASSERT_TRUE(agent.epochs.rotate(kStart, letters));
    note(letters);
  }
  EXPECT_EQ(kids.size(), 20U * 21U);
}

TEST(Epochs, ChangeByTimeAndOldKeysEnd) {
  Fixture agent({seconds(60), 1000, seconds(10)});
  (void)agent.say(1, Hello{Role::kOpen});
  const auto first = as<SealWith>(agent.say(2, Hello{Role::kSeal})[1].bytes.view());
  EXPECT_TRUE(agent.tick(kStart + seconds(59)).empty());
  EXPECT_EQ(agent.next, kStart + seconds(60));
  const auto letters = agent.tick(kStart + seconds(60));
  ASSERT_EQ(letters.size(), 2U);
  EXPECT_NE(as<SealWith>(letters[1].bytes.view()).kid, first.kid);
  EXPECT_EQ(agent.next, kStart + seconds(70));
  const auto ends = agent.tick(kStart + seconds(70));
  ASSERT_EQ(ends.size(), 1U);
  const auto drop = as<Drop>(ends[0].bytes.view());
  EXPECT_EQ(ends[0].to, 1U);
  EXPECT_EQ(drop.kid, first.kid);
  EXPECT_EQ(drop.mask, ~0ULL);
}

TEST(Epochs, ChangeWhenAKeyIsSpentOnceAndForItsSenderOnly) {
  Fixture agent;
  const auto first = as<SealWith>(agent.say(1, Hello{Role::kSeal})[0].bytes.view());
  (void)agent.say(2, Hello{Role::kSeal});
  const auto letters = agent.say(1, Spent{Layer::kOuter, first.kid});
  ASSERT_EQ(letters.size(), 1U);
  EXPECT_EQ(letters[0].to, 1U);
  EXPECT_TRUE(agent.say(1, Spent{Layer::kOuter, first.kid}).empty()) << "it has another already";
  EXPECT_TRUE(agent.result);
}

TEST(Epochs, ANeedIsAnsweredForOurFilesOnly) {
  Fixture agent;
  (void)agent.say(1, Hello{Role::kOpen});
  const auto kid = *file_tag(file_key()) | 0x123456789abcULL;
  const auto with = as<OpenWith>(agent.say(1, Need{Layer::kOuter, kid})[0].bytes.view());
  EXPECT_EQ(to_hex(with.key.view()), to_hex(epoch_key(file_key(), kid)->view()));
  (void)as<None>(agent.say(1, Need{Layer::kOuter, kid ^ (1ULL << 50U)})[0].bytes.view());
  (void)as<None>(agent.say(1, Need{Layer::kInner, kid})[0].bytes.view());
}

TEST(Epochs, AnotherFileTakesOverAndTheOldOneOpensForAWhile) {
  Fixture agent({seconds(0), 1000, seconds(10)});
  (void)agent.say(1, Hello{Role::kOpen});
  const auto old = as<SealWith>(agent.say(2, Hello{Role::kSeal})[1].bytes.view());
  Epochs::Letters letters;
  ASSERT_TRUE(agent.epochs.replace({file_key(50), {}}, kStart, letters));
  const auto fresh = as<SealWith>(letters.back().bytes.view());
  EXPECT_NE(fresh.kid & kFileMask, old.kid & kFileMask);
  (void)as<OpenWith>(agent.say(1, Need{Layer::kOuter, old.kid})[0].bytes.view());
  const auto ends = agent.tick(kStart + seconds(10));
  bool whole_file = false;
  for (const auto& letter : ends) {
    const auto drop = as<Drop>(letter.bytes.view());
    whole_file = whole_file || (drop.mask == kFileMask && drop.kid == (old.kid & kFileMask));
  }
  EXPECT_TRUE(whole_file);
  (void)as<None>(agent.say(1, Need{Layer::kOuter, old.kid})[0].bytes.view());
}

TEST(Epochs, ClientsKeepToTheirRoles) {
  Fixture agent;
  (void)agent.say(1, Need{Layer::kOuter, 1});
  EXPECT_FALSE(agent.result) << "hello comes first";
  (void)agent.say(1, Hello{Role::kOpen});
  (void)agent.say(1, Hello{Role::kSeal});
  EXPECT_FALSE(agent.result);
  (void)agent.say(1, Spent{Layer::kOuter, 1});
  EXPECT_FALSE(agent.result);
  (void)agent.say(2, Hello{Role::kSeal});
  (void)agent.say(2, Need{Layer::kOuter, 1});
  EXPECT_FALSE(agent.result) << "a sender opens nothing";
  (void)agent.say(2, Drop{});
  EXPECT_FALSE(agent.result);
}

}  // namespace
}  // namespace sotto::agent
