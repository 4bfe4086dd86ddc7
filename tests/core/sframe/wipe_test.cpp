// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// Reads the process's own memory: while a key is in use it is found, after its end it is not.
#include "core/base/random.h"
#include "core/sframe/key_ring.h"
#include "tests/support/memory_search.h"

#include <gtest/gtest.h>

namespace sotto::sframe {
namespace {

using test::copies_of;
using test::Masked;
using test::overwrite_stack;

Masked new_key(Secret& out) {
  out = Secret::random(32);
  return Masked(out.view());
}

[[gnu::noinline]] Masked derived(Suite suite, std::uint64_t kid, ByteView base_key) {
  return Masked(derive(suite, kid, base_key)->key.view().first(16));
}

class Wipe : public testing::TestWithParam<Suite> {};

TEST_P(Wipe, ContextsLeaveNoKeyBehind) {
  Secret base;
  const auto masked_base = new_key(base);
  const auto masked_frame = derived(GetParam(), 77, base.view());
  std::size_t written = 0;
  {
    auto sealer = *Sealer::make(GetParam(), 77, base.view());
    auto store = std::make_shared<KeyStore>();
    ASSERT_TRUE(store->add(GetParam(), 77, kExactKid, base.view()));
    OpenerTable table(store);
    Bytes sealed(sealer.sealed_size(100));
    ASSERT_EQ(sealer.seal(random_bytes(100), {}, sealed, written), Verdict::kOk);
    Bytes out(sealed.size());
    std::uint64_t kid = 0;
    ASSERT_EQ(table.open(sealed, {}, out, written, kid), Verdict::kOk);
    EXPECT_GE(copies_of(masked_base), 2U) << "ours and the store's: the search works";
    EXPECT_GE(copies_of(masked_frame), 1U) << "in the cipher: the search works";
  }
  overwrite_stack();
  EXPECT_EQ(copies_of(masked_frame), 0U);
  EXPECT_EQ(copies_of(masked_base), 1U) << "ours";
  base.wipe();
  EXPECT_EQ(copies_of(masked_base), 0U);
}

INSTANTIATE_TEST_SUITE_P(Sframe, Wipe,
                         testing::Values(Suite::kAes128CtrHmacSha256Tag80, Suite::kAes128GcmSha256,
                                         Suite::kAes256GcmSha512, Suite::kChaCha20Poly1305Sha512),
                         [](const auto& test) { return std::string(info_of(test.param).name); });

TEST(Wipe, ARatchetLeavesNoStepBehind) {
  Secret base;
  const auto masked = new_key(base);
  auto next = *ratchet(kDefaultSuite, base.view());
  const Masked masked_next(next.view());
  base.wipe();
  overwrite_stack();
  EXPECT_EQ(copies_of(masked), 0U);
  EXPECT_GE(copies_of(masked_next), 1U);
  next.wipe();
  overwrite_stack();
  EXPECT_EQ(copies_of(masked_next), 0U);
}

TEST(Wipe, AStoreForgetsAtOnceWhatItsTablesHold) {
  Secret base;
  const auto masked_base = new_key(base);
  const auto masked_frame = derived(kDefaultSuite, 5, base.view());
  auto store = std::make_shared<KeyStore>();
  ASSERT_TRUE(store->add(kDefaultSuite, 5, kExactKid, base.view()));
  OpenerTable table(store);
  std::size_t written = 0;
  std::uint64_t kid = 0;
  Bytes sealed;
  {
    auto sealer = *Sealer::make(kDefaultSuite, 5, base.view());
    sealed.resize(sealer.sealed_size(10));
    ASSERT_EQ(sealer.seal(Bytes(10), {}, sealed, written), Verdict::kOk);
  }
  Bytes out(sealed.size());
  ASSERT_EQ(table.open(sealed, {}, out, written, kid), Verdict::kOk);
  base.wipe();
  store->clear();
  EXPECT_EQ(table.open(sealed, {}, out, written, kid), Verdict::kNoKey);
  overwrite_stack();
  EXPECT_EQ(copies_of(masked_base), 0U);
  EXPECT_EQ(copies_of(masked_frame), 0U);
}

}  // namespace
}  // namespace sotto::sframe
