// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// Reads the process's own memory: while a key is in use it is found, after its end it is not.
#include "core/base/random.h"
#include "core/sframe/key_ring.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <fstream>

namespace sotto::sframe {
namespace {

constexpr std::uint8_t kMask = 0xA5;
constexpr std::size_t kMaxMapping = 256UL << 20U;  // Larger ones are a sanitizer's shadow.

/// A key nobody else holds; kept in a form that a search for the key does not find.
class Masked {
 public:
  explicit Masked(ByteView key) : bytes_(key.begin(), key.end()) {
    for (auto& byte : bytes_) byte ^= kMask;
  }
  std::size_t size() const { return bytes_.size(); }
  bool is_at(const std::uint8_t* memory) const {
    for (std::size_t i = 0; i < bytes_.size(); ++i) {
      if ((memory[i] ^ kMask) != bytes_[i]) return false;
    }
    return true;
  }
  std::uint8_t first() const { return bytes_[0] ^ kMask; }

 private:
  Bytes bytes_;
};

/// How often the key stands in the writable memory of this process.
std::size_t copies_of(const Masked& key) {
  static std::vector<std::uint8_t> window;  // Searched memory passes through here; it is wiped.
  std::size_t found = 0;
  const int memory = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
  EXPECT_GE(memory, 0);
  std::ifstream maps("/proc/self/maps");
  std::vector<std::pair<std::uintptr_t, std::uintptr_t>> ranges;
  for (std::string line; std::getline(maps, line);) {
    unsigned long start = 0;
    unsigned long end = 0;
    char flags[5] = {};
    if (std::sscanf(line.c_str(), "%lx-%lx %4s", &start, &end, flags) != 3) continue;
    if (flags[1] == 'w' && end - start <= kMaxMapping) ranges.emplace_back(start, end);
  }
  for (const auto& [start, end] : ranges) {
    window.resize(end - start);
    const auto got = pread(memory, window.data(), window.size(), static_cast<off_t>(start));
    const auto size = got < 0 ? 0U : static_cast<std::size_t>(got);
    const auto* own_begin = window.data();
    for (std::size_t i = 0; i + key.size() <= size;) {
      const auto* next =
          static_cast<const std::uint8_t*>(std::memchr(window.data() + i, key.first(), size - i));
      if (next == nullptr) break;
      i = static_cast<std::size_t>(next - window.data());
      if (i + key.size() > size) break;
      const auto address = reinterpret_cast<const std::uint8_t*>(start + i);
      const bool own = address >= own_begin && address < own_begin + window.size();
      if (!own && key.is_at(next)) ++found;
      ++i;
    }
    wipe(window);
  }
  close(memory);
  window.clear();
  window.shrink_to_fit();
  return found;
}

/// Runs deeper than its caller did, so that the frames it left on the stack are overwritten.
[[gnu::noinline]] void overwrite_stack() {
  std::uint8_t deep[32768];
  wipe(deep);
}

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
