// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// What RFC 9605 prints in its appendix C, and a twin of each vector with one bit changed.
#include "tests/core/sframe/vectors.h"

#include "core/sframe/context.h"

#include <gtest/gtest.h>

namespace sotto::sframe {
namespace {

Suite suite_of(const std::string& decimal) {
  return find_suite(static_cast<std::uint16_t>(std::stoul(decimal)))->suite;
}

TEST(Rfc9605Header, EncodesAndParses) {
  const auto cases = vectors("header.txt");
  ASSERT_EQ(cases.size(), 289U);
  for (const auto& words : cases) {
    const Header header{number(words[0]), number(words[1])};
    const auto encoded = encode(header);
    EXPECT_EQ(to_hex(encoded.view()), words[2]);
    EXPECT_EQ(encoded.size, encoded_size(header));
    const auto parsed = parse_header(*from_hex(words[2]));
    ASSERT_TRUE(parsed) << words[2];
    EXPECT_EQ(parsed->header.kid, header.kid);
    EXPECT_EQ(parsed->header.ctr, header.ctr);
    EXPECT_EQ(parsed->size, encoded.size);
  }
}

TEST(Rfc9605Header, EveryChangedBitReadsAsAnotherHeader) {
  for (const auto& words : vectors("header.txt")) {
    const auto bytes = *from_hex(words[2]);
    for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
      auto twin = bytes;
      twin[bit / 8] = static_cast<std::uint8_t>(twin[bit / 8] ^ (1U << (bit % 8)));
      const auto parsed = parse_header(twin);
      EXPECT_FALSE(parsed && parsed->size == twin.size() &&
                   parsed->header.kid == number(words[0]) && parsed->header.ctr == number(words[1]))
          << words[2] << " bit " << bit;
    }
  }
}

TEST(Rfc9605Header, EndsWithinTheHeader) {
  for (const auto& words : vectors("header.txt")) {
    const auto bytes = *from_hex(words[2]);
    for (std::size_t size = 0; size < bytes.size(); ++size) {
      EXPECT_FALSE(parse_header(ByteView(bytes).first(size))) << words[2];
    }
  }
}

class CtrHmac : public testing::TestWithParam<Words> {
 protected:
  Cipher make(Cipher::Use use) {
    const auto& words = GetParam();
    FrameKeys keys;
    keys.key = Secret::copy_of(*from_hex(words[1]));
    const auto nonce = *from_hex(words[2]);
    std::copy(nonce.begin(), nonce.end(), keys.salt.begin());  // With counter 0 they are the same.
    return std::move(*Cipher::from_keys(suite_of(words[0]), use, keys));
  }
};

TEST_P(CtrHmac, SealsAndOpens) {
  const auto& words = GetParam();
  const auto aad = *from_hex(words[3]);
  const auto plaintext = *from_hex(words[4]);
  const auto expected = *from_hex(words[5]);
  Bytes sealed(expected.size());
  ASSERT_TRUE(make(Cipher::Use::kSeal).seal(0, {{}, aad}, plaintext, sealed.data()));
  EXPECT_EQ(to_hex(sealed), words[5]);
  Bytes opened(plaintext.size());
  ASSERT_TRUE(make(Cipher::Use::kOpen).open(0, {{}, aad}, sealed, opened.data()));
  EXPECT_EQ(opened, plaintext);
}

TEST_P(CtrHmac, OpensNothingThatWasTouched) {
  const auto& words = GetParam();
  const auto aad = *from_hex(words[3]);
  auto cipher = make(Cipher::Use::kOpen);
  const auto sealed = *from_hex(words[5]);
  Bytes opened(sealed.size());
  for (std::size_t i = 0; i < sealed.size(); ++i) {
    auto twin = sealed;
    twin[i] ^= 0x01U;
    EXPECT_FALSE(cipher.open(0, {{}, aad}, twin, opened.data())) << i;
  }
  auto other = aad;
  other[0] ^= 0x80U;
  EXPECT_FALSE(cipher.open(0, {{}, other}, sealed, opened.data()));
  EXPECT_FALSE(cipher.open(1, {{}, aad}, sealed, opened.data()));
}

INSTANTIATE_TEST_SUITE_P(Rfc9605, CtrHmac, testing::ValuesIn(vectors("ctr_hmac.txt")),
                         [](const auto& test) { return "suite_" + test.param[0]; });

class Frames : public testing::TestWithParam<Words> {
 protected:
  void SetUp() override {
    const auto& words = GetParam();
    suite = suite_of(words[0]);
    kid = number(words[1]);
    ctr = number(words[2]);
    base_key = *from_hex(words[3]);
    metadata = *from_hex(words[6]);
    plaintext = *from_hex(words[7]);
    sealed = *from_hex(words[8]);
  }
  Verdict open(ByteView bytes, ByteView meta, ByteView key) {
    auto opener = Opener::make(suite, kid, key);
    opened.assign(bytes.size(), 0);
    std::size_t written = 0;
    const auto verdict = opener->open(bytes, meta, opened, written);
    opened.resize(written);
    return verdict;
  }

  Suite suite{};
  std::uint64_t kid = 0;
  std::uint64_t ctr = 0;
  Bytes base_key, metadata, plaintext, sealed, opened;
};

TEST_P(Frames, KeysAreDerived) {
  const auto keys = derive(suite, kid, base_key);
  ASSERT_TRUE(keys);
  EXPECT_EQ(to_hex(keys->key.view()), GetParam()[4]);
  EXPECT_EQ(to_hex(keys->salt), GetParam()[5]);
}

TEST_P(Frames, AnotherKidDerivesOtherKeys) {
  const auto keys = derive(suite, kid ^ 1U, base_key);
  ASSERT_TRUE(keys);
  EXPECT_NE(to_hex(keys->key.view()), GetParam()[4]);
  EXPECT_NE(to_hex(keys->salt), GetParam()[5]);
}

TEST_P(Frames, Seal) {
  auto sealer = Sealer::make(suite, kid, base_key, ctr);
  ASSERT_TRUE(sealer);
  Bytes out(sealer->sealed_size(plaintext.size()));
  std::size_t written = 0;
  ASSERT_EQ(sealer->seal(plaintext, metadata, out, written), Verdict::kOk);
  EXPECT_EQ(written, out.size());
  EXPECT_EQ(to_hex(out), GetParam()[8]);
}

TEST_P(Frames, Open) {
  ASSERT_EQ(open(sealed, metadata, base_key), Verdict::kOk);
  EXPECT_EQ(opened, plaintext);
}

TEST_P(Frames, OpenNothingThatWasTouched) {
  for (std::size_t bit = 0; bit < sealed.size() * 8; ++bit) {
    auto twin = sealed;
    twin[bit / 8] = static_cast<std::uint8_t>(twin[bit / 8] ^ (1U << (bit % 8)));
    EXPECT_NE(open(twin, metadata, base_key), Verdict::kOk) << bit;
    EXPECT_TRUE(opened.empty());
  }
  for (std::size_t size = 0; size < sealed.size(); ++size) {
    EXPECT_NE(open(ByteView(sealed).first(size), metadata, base_key), Verdict::kOk) << size;
  }
  auto longer = sealed;
  longer.push_back(0);
  EXPECT_EQ(open(longer, metadata, base_key), Verdict::kForged);
  auto other = metadata;
  other.back() ^= 1U;
  EXPECT_EQ(open(sealed, other, base_key), Verdict::kForged);
  EXPECT_EQ(open(sealed, {}, base_key), Verdict::kForged);
  auto key = base_key;
  key[0] ^= 1U;
  EXPECT_EQ(open(sealed, metadata, key), Verdict::kForged);
}

INSTANTIATE_TEST_SUITE_P(Rfc9605, Frames, testing::ValuesIn(vectors("sframe.txt")),
                         [](const auto& test) { return "suite_" + test.param[0]; });

TEST(Rfc9605, AllSuitesOfTheAppendixAreHere) {
  EXPECT_EQ(vectors("ctr_hmac.txt").size(), 3U);
  EXPECT_EQ(vectors("sframe.txt").size(), 5U);
}

}  // namespace
}  // namespace sotto::sframe
