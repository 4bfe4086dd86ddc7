// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// Key messages: one encoding, and nothing else is taken.
#include "core/e2ee/key_message.h"

#include <gtest/gtest.h>

namespace sotto::e2ee {
namespace {

// As in docs/encodings.md.
constexpr const char* kExample =
    "846c736f74746f2f6b65792f7631051b0123456789abcdef5820"
    "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

TEST(KeyMessages, TheExampleIsReadAndPrinted) {
  const auto message = parse_key_message(*from_hex(kExample));
  ASSERT_TRUE(message) << message.error().message;
  EXPECT_EQ(message->suite, sframe::Suite::kAes256GcmSha512);
  EXPECT_EQ(message->kid, 0x0123456789ABCDEFU);
  EXPECT_EQ(message->key.size(), 32U);
  EXPECT_EQ(to_hex(print(*message).view()), kExample);
}

TEST(KeyMessages, EveryWidthOfKidComesBack) {
  for (const std::uint64_t kid : {0ULL, 23ULL, 24ULL, 255ULL, 256ULL, 65535ULL, 65536ULL,
                                  0xFFFFFFFFULL, 0x100000000ULL, ~0ULL}) {
    const KeyMessage sent{sframe::Suite::kChaCha20Poly1305Sha512, kid, Secret::random(64)};
    const auto read = parse_key_message(print(sent).view());
    ASSERT_TRUE(read) << kid;
    EXPECT_EQ(read->kid, kid);
    EXPECT_EQ(read->suite, sent.suite);
    EXPECT_EQ(to_hex(read->key.view()), to_hex(sent.key.view()));
  }
}

TEST(KeyMessages, EverythingElseIsRefused) {
  const auto example = *from_hex(kExample);
  for (std::size_t size = 0; size < example.size(); ++size) {
    EXPECT_FALSE(parse_key_message(ByteView(example).first(size))) << size;
  }
  auto longer = example;
  longer.push_back(0);
  EXPECT_FALSE(parse_key_message(longer));
  const std::string key = "50000102030405060708090a0b0c0d0e0f";
  const std::string start = "846c736f74746f2f6b65792f7631";
  EXPECT_TRUE(parse_key_message(*from_hex(start + "0505" + key)));
  for (const auto& text : {
           start + "180505" + key,                               // Suite not in its shortest form.
           start + "051800" + key,                               // KID neither.
           start + "0520" + key,                                 // A negative KID.
           start + "190605" + "05" + key,                        // No such suite.
           start + "0505" + "4f000102030405060708090a0b0c0d0e",  // A short key.
           start + "0505" + "5fff",                              // Indefinite length.
           start + "0505" + "5bffffffffffffffff00",              // Longer than what is there.
           "856c736f74746f2f6b65792f7631" + std::string("0505") + key,
           "846c736f74746f2f6b65792f7632" + std::string("0505") + key,
       }) {
    const auto bytes = from_hex(text);
    ASSERT_TRUE(bytes) << text;
    EXPECT_FALSE(parse_key_message(*bytes)) << text;
  }
}

}  // namespace
}  // namespace sotto::e2ee
