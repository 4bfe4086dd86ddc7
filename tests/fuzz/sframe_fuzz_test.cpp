// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// Mutated headers, frames, shims and key messages: nothing crashes, nothing that was touched opens.
// SOTTO_FUZZ_RUNS sets how many of each; the long run has a million.
#include "core/e2ee/key_file.h"
#include "core/e2ee/key_message.h"
#include "core/e2ee/nal.h"
#include "tests/core/e2ee/support.h"
#include "tests/fuzz/mutator.h"

#include <gtest/gtest.h>

namespace sotto::e2ee {
namespace {

using sframe::Verdict;

using fuzz::Mutator;
using fuzz::runs;

TEST(SframeFuzz, Headers) {
  Mutator mutator;
  for (int run = 0; run < runs(); ++run) {
    Bytes bytes;
    for (auto n = mutator.below(20); n > 0; --n) bytes.push_back(mutator.byte());
    const auto parsed = sframe::parse_header(bytes);
    if (!parsed) continue;
    ASSERT_LE(parsed->size, bytes.size());
    ASSERT_LE(parsed->size, sframe::kMaxHeaderSize);
    const auto again = sframe::encode(parsed->header);
    ASSERT_LE(again.size, parsed->size) << "ours is the shortest";
    const auto back = sframe::parse_header(again.view());
    ASSERT_TRUE(back);
    ASSERT_EQ(back->header.kid, parsed->header.kid);
    ASSERT_EQ(back->header.ctr, parsed->header.ctr);
  }
}

class CodecFuzz : public testing::TestWithParam<Codec> {};

TEST_P(CodecFuzz, TouchedFramesOpenToTheOriginalOrNotAtAll) {
  Mutator mutator;
  for (const bool twice : {false, true}) {
    Pair pair(GetParam(), twice);
    for (int run = 0; run < runs() / 2; ++run) {
      const auto plain = frame_of(GetParam(), run % 2 == 0, mutator.below(60));
      auto sealed = pair.seal(plain);
      ASSERT_EQ(pair.last, Verdict::kOk);
      mutator.mutate_some(sealed);
      const auto result = pair.open(sealed);
      // A mutation may hit nothing but parameter sets, delimiters, or itself again.
      if (result.verdict == Verdict::kOk) {
        ASSERT_EQ(to_hex(pair.opened), to_hex(plain)) << run;
      } else {
        ASSERT_TRUE(pair.opened.empty());
      }
    }
  }
}

TEST_P(CodecFuzz, AnyBytesAreSealedToThemselvesOrRefused) {
  Mutator mutator;
  Pair pair(GetParam());
  for (int run = 0; run < runs(); ++run) {
    auto plain = frame_of(GetParam(), run % 2 == 0, mutator.below(30));
    mutator.mutate_some(plain);
    const auto sealed = pair.seal(plain);
    if (pair.last != Verdict::kOk) {
      ASSERT_TRUE(sealed.empty());
      continue;
    }
    ASSERT_EQ(pair.open(sealed).verdict, Verdict::kOk) << to_hex(plain);
    ASSERT_EQ(to_hex(pair.opened), to_hex(plain));
  }
}

INSTANTIATE_TEST_SUITE_P(E2ee, CodecFuzz, testing::ValuesIn(kCodecs),
                         [](const auto& test) { return std::string(name_of(test.param)); });

TEST(NalFuzz, UnitsStayWithinTheirBytes) {
  Mutator mutator;
  for (int run = 0; run < runs(); ++run) {
    Bytes bytes;
    for (auto n = mutator.below(60); n > 0; --n) bytes.push_back(mutator.byte());
    NalReader reader(bytes);
    std::size_t total = 0;
    while (const auto unit = reader.next()) {
      ASSERT_FALSE(unit->empty());
      ASSERT_NE(unit->back(), 0);
      total += unit->size() + 3;
    }
    ASSERT_LE(total, bytes.size());
    Bytes out(bytes.size());
    if (const auto size = unescape(bytes, out.data())) {
      ASSERT_LE(*size, bytes.size());
    }
    bytes.push_back(0x80);
    Bytes escaped(bytes.size() + count_escapes(bytes));
    escape(bytes, escaped.data());
    Bytes back(escaped.size());
    const auto size = unescape(escaped, back.data());
    ASSERT_TRUE(size) << to_hex(bytes);
    back.resize(*size);
    ASSERT_EQ(to_hex(back), to_hex(bytes));
  }
}

TEST(KeyFuzz, MessagesAndLinksHaveOneForm) {
  Mutator mutator;
  const KeyMessage message{sframe::kDefaultSuite, 0x0123456789ABCDEF, Secret::random(32)};
  const auto printed = print(message);
  const auto link = link_value(new_file_key(sframe::kDefaultSuite));
  for (int run = 0; run < runs(); ++run) {
    Bytes bytes(printed.view().begin(), printed.view().end());
    mutator.mutate_some(bytes);
    if (const auto read = parse_key_message(bytes)) {
      ASSERT_EQ(to_hex(print(*read).view()), to_hex(bytes)) << "no second way to write it";
    }
    Bytes text(link.view().begin(), link.view().end());
    mutator.mutate_some(text);
    if (const auto read = parse_link_value(text)) {
      ASSERT_EQ(as_text(link_value(*read).view()), as_text(text));
    }
  }
}

}  // namespace
}  // namespace sotto::e2ee
