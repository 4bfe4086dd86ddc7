// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/base/cbor.h"

#include <gtest/gtest.h>

#include <limits>
#include <string>

namespace sotto::cbor {
namespace {

std::string hex(const Writer& writer) { return to_hex(writer.view()); }

TEST(Cbor, WritesTheExamplesOfItsStandard) {  // RFC 8949, appendix A.
  EXPECT_EQ(hex(Writer().number(0)), "00");
  EXPECT_EQ(hex(Writer().number(23)), "17");
  EXPECT_EQ(hex(Writer().number(24)), "1818");
  EXPECT_EQ(hex(Writer().number(1000)), "1903e8");
  EXPECT_EQ(hex(Writer().number(1000000)), "1a000f4240");
  EXPECT_EQ(hex(Writer().number(1000000000000)), "1b000000e8d4a51000");
  EXPECT_EQ(hex(Writer().number(std::numeric_limits<std::uint64_t>::max())), "1bffffffffffffffff");
  EXPECT_EQ(hex(Writer().bytes(Bytes{1, 2, 3, 4})), "4401020304");
  EXPECT_EQ(hex(Writer().text("ü")), "62c3bc");
  EXPECT_EQ(hex(Writer().array(3).number(1).number(2).number(3)), "83010203");
  EXPECT_EQ(hex(Writer().map(2).text("a").number(1).text("b").array(2).number(2).number(3)),
            "a26161016162820203");
  EXPECT_EQ(hex(Writer().array(2).boolean(false).boolean(true)), "82f4f5");
  EXPECT_EQ(hex(Writer().raw(Bytes{0x17})), "17");
}

TEST(Cbor, ReadsWhatItWrote) {
  const auto bytes =
      Writer().array(5).text("label").number(500).bytes(Bytes(300, 7)).boolean(true).map(0).take();
  Reader reader(bytes);
  EXPECT_EQ(reader.next(), Major::kArray);
  EXPECT_TRUE(reader.labelled(5, "label"));
  EXPECT_EQ(reader.number(), 500U);
  EXPECT_EQ(reader.bytes(300)->size(), 300U);
  EXPECT_EQ(reader.boolean(), true);
  EXPECT_EQ(reader.map(), 0U);
  EXPECT_TRUE(reader.at_end());
}

TEST(Cbor, TakesTheShortestFormOnly) {
  for (const char* text : {"1817", "190017", "1900ff", "1a0000ffff", "1b00000000ffffffff"}) {
    const auto bytes = *from_hex(text);
    EXPECT_FALSE(Reader(bytes).number()) << text;
  }
  for (const char* text : {"1c", "1f", "5f4101ff", "18", "1903", "1b00000000000000"}) {
    const auto bytes = *from_hex(text);
    EXPECT_FALSE(Reader(bytes).number()) << text;
    EXPECT_FALSE(Reader(bytes).bytes(100)) << text;
  }
}

TEST(Cbor, AFailedReadMovesNothing) {
  const auto bytes = *from_hex("4401020304");
  Reader reader(bytes);
  EXPECT_FALSE(reader.number());
  EXPECT_FALSE(reader.text(100));
  EXPECT_FALSE(reader.bytes(3)) << "longer than the caller takes";
  EXPECT_FALSE(reader.labelled(1, "x"));
  EXPECT_FALSE(reader.boolean());
  EXPECT_EQ(reader.rest().size(), 5U);
  EXPECT_EQ(reader.bytes(4)->size(), 4U);
}

TEST(Cbor, LengthsBeyondTheEndAreRefused) {
  for (const char* text : {"4401", "5bffffffffffffffff", "6461", "7bffffffffffffffff61"}) {
    const auto bytes = *from_hex(text);
    constexpr auto kAny = std::numeric_limits<std::size_t>::max();
    EXPECT_FALSE(Reader(bytes).bytes(kAny)) << text;
    EXPECT_FALSE(Reader(bytes).text(kAny)) << text;
  }
}

TEST(Cbor, TextIsUtf8) {
  for (const char* good : {"", "abc", "ü", "€", "😀"}) {
    EXPECT_TRUE(is_utf8(as_bytes(good))) << good;
  }
  for (const char* bad :
       {"80", "c3", "c080", "e08080", "eda080", "f08080", "f4908080", "ff", "c328"}) {
    const auto bytes = *from_hex(bad);
    EXPECT_FALSE(is_utf8(bytes)) << bad;
    const auto item = Writer().raw(head(Major::kText, bytes.size()).view()).raw(bytes).take();
    EXPECT_FALSE(Reader(item).text(100)) << bad;
  }
}

TEST(Cbor, ForeignTypesHaveNoName) {
  for (const char* text : {"20", "c0", "f6", "fb0000000000000000"}) {
    const auto bytes = *from_hex(text);
    EXPECT_FALSE(Reader(bytes).next()) << text;
  }
}

}  // namespace
}  // namespace sotto::cbor
