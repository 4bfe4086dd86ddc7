// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// Text forms of byte strings: round trips, and everything that must be refused.
#include "core/base/bytes.h"

#include "core/base/random.h"

#include <gtest/gtest.h>

namespace sotto {
namespace {

TEST(Bytes, HexRoundTrip) {
  const Bytes bytes = {0x00, 0x7f, 0xff};
  EXPECT_EQ(to_hex(bytes), "007fff");
  EXPECT_EQ(*from_hex("007FFF"), bytes);
}

TEST(Bytes, HexRefusesOddLengthAndForeignCharacters) {
  for (const char* text : {"0", "0g", "00 ", " 00", "0x00"}) EXPECT_FALSE(from_hex(text)) << text;
}

TEST(Bytes, Base64FormsDifferInAlphabetAndPadding) {
  const Bytes bytes = {0xfb, 0xff};
  EXPECT_EQ(to_base64(bytes), "+/8=");
  EXPECT_EQ(to_base64url(bytes), "-_8");
  EXPECT_EQ(*from_base64("+/8="), bytes);
  EXPECT_EQ(*from_base64url("-_8"), bytes);
}

TEST(Bytes, Base64RefusesWhatIsNotCanonical) {
  for (const char* text : {"-_9", "-_8=", "-_8\n", "+/8", "a"}) {
    EXPECT_FALSE(from_base64url(text)) << text;
  }
}

TEST(Bytes, ConstantTimeComparison) {
  EXPECT_TRUE(equal_constant_time(as_bytes("abc"), as_bytes("abc")));
  EXPECT_FALSE(equal_constant_time(as_bytes("abc"), as_bytes("abd")));
  EXPECT_FALSE(equal_constant_time(as_bytes("abc"), as_bytes("ab")));
}

TEST(Random, NamesAreLongAndDifferent) {
  EXPECT_EQ(random_name(16).size(), 22U);
  EXPECT_NE(random_name(), random_name());
  for (int i = 0; i < 1000; ++i) {
    const auto id = random_id53();
    EXPECT_GT(id, 0U);
    EXPECT_LT(id, 1ULL << 53U);
  }
}

}  // namespace
}  // namespace sotto
