// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/keys/identity_file.h"

#include "core/base/cbor.h"
#include "core/keys/statement.h"

#include <gtest/gtest.h>
#include <sodium.h>

#include <algorithm>
#include <filesystem>
#include <numeric>
#include <utility>

namespace sotto::keys {
namespace {

constexpr FileCost kCheap{crypto_pwhash_OPSLIMIT_MIN, crypto_pwhash_MEMLIMIT_MIN};
constexpr std::string_view kWords = "correct horse";
constexpr std::uint64_t kThen = 1'795'312'800'000;

std::unique_ptr<FileIdentity> example(std::uint8_t first) {
  Bytes scalar(32);
  std::iota(scalar.begin(), scalar.end(), first);
  return std::move(*FileIdentity::from_private_key(scalar));
}

std::string hex_of(const FileIdentity& identity) { return to_hex(identity.private_key()->view()); }

// docs/encodings.md, "Identity files" and "Statements".
TEST(Examples, OpenAsThePageSays) {
  const auto identity = example(0);
  const auto open = *from_hex(
      "8376736f74746f2f6964656e746974792d6f70656e2f7631585b3059301306072a8648ce3d020106082a"
      "8648ce3d030107034200047a593180860c4037c83c12749845c8ee1424dd297fadcb895e358255d2c7d2"
      "b2a8ca25580f2626fe579062ff1b99ff91c24a0da06fb32b5be20148c9249f5650582000010203040506"
      "0708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f");
  EXPECT_EQ(to_hex(print_open_identity(*identity)->view()), to_hex(open));
  EXPECT_EQ(hex_of(**open_identity(open, {})), hex_of(*identity));
  const auto sealed = *from_hex(
      "877818736f74746f2f6964656e746974792d7365616c65642f7631585b3059301306072a8648ce3d0201"
      "06082a8648ce3d030107034200047a593180860c4037c83c12749845c8ee1424dd297fadcb895e358255"
      "d2c7d2b2a8ca25580f2626fe579062ff1b99ff91c24a0da06fb32b5be20148c9249f5650031a04000000"
      "5042d40d490cf274be5e2830acb1dfe214581869d57ff93ea502e084c54fd2b7b6943a2b52a9e1e2418e"
      "8758301b9ae12617eeff6b5efd4404b50e5c8a78557ca39b6622acead77568351b71cd647e8fb9bded0e"
      "c63c6d9ec94f319152");
  const auto opened = open_identity(sealed, as_bytes(kWords));
  ASSERT_TRUE(opened) << opened.error().message;
  EXPECT_EQ(hex_of(**opened), hex_of(*identity));
  const auto facts = identity_facts(sealed);
  ASSERT_TRUE(facts);
  EXPECT_TRUE(facts->sealed);
  EXPECT_EQ(facts->cost.memory, 64UL << 20U);
  EXPECT_EQ(facts->cost.passes, 3U);
  EXPECT_EQ(to_base64url(facts->pub.id()), "qPDLDm2YqNmz2tOtZplAjSBFA3PYtU2NYVmst6Pp6lg");
  const auto link = parse_link(*from_hex(
      "8574736f74746f2f6465766963652d6c696e6b2f7631585b3059301306072a8648ce3d020106082a8648"
      "ce3d030107034200047a593180860c4037c83c12749845c8ee1424dd297fadcb895e358255d2c7d2b2a8"
      "ca25580f2626fe579062ff1b99ff91c24a0da06fb32b5be20148c9249f5650585b3059301306072a8648"
      "ce3d020106082a8648ce3d0301070342000468ec7cf08cd4106e43b14de895426522bd0a45150c027e45"
      "c7953434d747e7bae3af39a88ebbee8679bb61e7845c3a89cb9b5a3237c3fdb0b0587dbaf415118d1b00"
      "0001a200fb51005840db4cd6ef54a98c086bb05f99cf4f36eb007490408f38b4ae954df6567ea9f9dfa2"
      "d3976f1e087104e233878e4e7fd8b9e5e52bd0cf185ced3efd10671f2dacfd"));
  ASSERT_TRUE(link) << link.error().message;
  EXPECT_EQ(link->by.id(), identity->pub().id());
  EXPECT_EQ(link->device.id(), example(0x40)->pub().id());
  EXPECT_EQ(link->at, kThen);
  const auto revocation = parse_revocation(*from_hex(
      "86781a736f74746f2f6465766963652d7265766f636174696f6e2f7631585b3059301306072a8648ce3d"
      "020106082a8648ce3d030107034200047a593180860c4037c83c12749845c8ee1424dd297fadcb895e35"
      "8255d2c7d2b2a8ca25580f2626fe579062ff1b99ff91c24a0da06fb32b5be20148c9249f56505820caf2"
      "bba7eef101547909ca8420275e62a91b93557873d9a742343f6e96a3caa71b000001a200fb5100646c6f"
      "737458409b1a37a8413840ee6af690574bd79a09b2e3caeba171543b3112f340ddb4929d970ff3ffab9a"
      "d7eb35ec625e7941f397f4d4d71de69c36cf4368e777aefe946f"));
  ASSERT_TRUE(revocation) << revocation.error().message;
  EXPECT_EQ(revocation->device, example(0x40)->pub().id());
  EXPECT_EQ(revocation->reason, "lost");
}

TEST(SealedFiles, OpenWithTheirPassphraseOnly) {
  const auto identity = FileIdentity::generate();
  const auto file = seal_identity(**identity, as_bytes(kWords), kCheap);
  ASSERT_TRUE(file);
  const auto again = open_identity(*file, as_bytes(kWords));
  ASSERT_TRUE(again);
  EXPECT_EQ((*again)->pub().id(), (*identity)->pub().id());
  const auto message = as_bytes("a message");
  EXPECT_TRUE((*identity)->pub().verify(message, *(*again)->sign(message)));
  for (const char* wrong : {"", "correct hors", "correct horse ", "Correct horse"}) {
    const auto opened = open_identity(*file, as_bytes(wrong));
    ASSERT_FALSE(opened) << wrong;
    EXPECT_EQ(opened.error().code, ErrorCode::kUnauthenticated);
  }
  const auto scalar = (*identity)->private_key();
  EXPECT_EQ(std::search(file->begin(), file->end(), scalar->view().begin(), scalar->view().end()),
            file->end());
}

TEST(SealedFiles, NoTwoAreAlike) {
  const auto identity = FileIdentity::generate();
  EXPECT_NE(to_hex(*seal_identity(**identity, as_bytes(kWords), kCheap)),
            to_hex(*seal_identity(**identity, as_bytes(kWords), kCheap)));
}

TEST(SealedFiles, EveryByteCounts) {
  const auto identity = FileIdentity::generate();
  const auto file = *seal_identity(**identity, as_bytes(kWords), kCheap);
  for (std::size_t i = 0; i < file.size(); ++i) {
    auto touched = file;
    touched[i] ^= 1U;
    // A changed cost may be a real one: it must not be asked of this machine a thousand times.
    const auto facts = identity_facts(touched);
    if (facts && facts->cost.memory > (1UL << 20U)) continue;
    EXPECT_FALSE(open_identity(touched, as_bytes(kWords))) << i;
    EXPECT_FALSE(open_identity(ByteView(file).first(i), as_bytes(kWords))) << i;
  }
  auto longer = file;
  longer.push_back(0);
  EXPECT_FALSE(open_identity(longer, as_bytes(kWords)));
}

TEST(SealedFiles, AskForNoMoreWorkThanOurs) {
  const auto identity = FileIdentity::generate();
  const Bytes salt(16);
  const Bytes nonce(24);
  const Bytes box(48);
  for (const auto& [passes, memory] : {std::pair<std::uint64_t, std::uint64_t>{17, 8192},
                                       {1, 2UL << 30U},
                                       {0, 8192},
                                       {1, 100},
                                       {~0ULL, ~0ULL}}) {
    const auto file = cbor::Writer()
                          .array(7)
                          .text("sotto/identity-sealed/v1")
                          .bytes((*identity)->pub().spki())
                          .number(passes)
                          .number(memory)
                          .bytes(salt)
                          .bytes(nonce)
                          .bytes(box)
                          .take();
    const auto opened = open_identity(file, as_bytes(kWords));
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code, ErrorCode::kTooLarge);
  }
}

TEST(SealedFiles, WeakPassphrasesAreRefused) {
  const auto identity = FileIdentity::generate();
  EXPECT_EQ(seal_identity(**identity, as_bytes("seven77"), kCheap).error().code,
            ErrorCode::kInvalid);
  EXPECT_FALSE(seal_identity(**identity, Bytes(kMaxPassphrase + 1, 'x'), kCheap));
}

TEST(OpenFiles, AnotherDevicesPublicKeyIsNoticed) {
  const auto one = FileIdentity::generate();
  const auto two = FileIdentity::generate();
  const auto file = cbor::Writer()
                        .array(3)
                        .text("sotto/identity-open/v1")
                        .bytes((*one)->pub().spki())
                        .bytes((*two)->private_key()->view())
                        .take();
  EXPECT_EQ(open_identity(file, {}).error().code, ErrorCode::kCrypto);
}

TEST(Statements, HoldAndEveryByteCounts) {
  const auto one = FileIdentity::generate();
  const auto two = FileIdentity::generate();
  const auto link = *sign_link(**one, (*two)->pub(), kThen);
  const auto revocation = *sign_revocation(**one, (*two)->pub().id(), kThen, "compromised");
  ASSERT_TRUE(parse_link(link));
  ASSERT_TRUE(parse_revocation(revocation));
  EXPECT_LE(link.size(), kMaxStatement);
  EXPECT_FALSE(parse_link(revocation)) << "one is not the other";
  EXPECT_FALSE(parse_revocation(link));
  for (std::size_t i = 0; i < link.size(); ++i) {
    auto touched = link;
    touched[i] ^= 1U;
    EXPECT_FALSE(parse_link(touched)) << i;
    EXPECT_FALSE(parse_link(ByteView(link).first(i)));
  }
  for (std::size_t i = 0; i < revocation.size(); ++i) {
    auto touched = revocation;
    touched[i] ^= 1U;
    EXPECT_FALSE(parse_revocation(touched)) << i;
    EXPECT_FALSE(parse_revocation(ByteView(revocation).first(i)));
  }
}

TEST(Statements, MakeSense) {
  const auto one = FileIdentity::generate();
  EXPECT_FALSE(sign_link(**one, (*one)->pub(), kThen));
  EXPECT_FALSE(sign_revocation(**one, (*one)->pub().id(), kThen, "bored"));
  EXPECT_TRUE(sign_revocation(**one, (*one)->pub().id(), kThen, "retired")) << "of oneself";
}

TEST(PrivateFiles, AreMadeOnceAndReadOnlyWhenPrivate) {
  std::string name = testing::TempDir() + "sotto-id-XXXXXX";
  ASSERT_NE(mkdtemp(name.data()), nullptr);
  const std::filesystem::path folder = name;
  const auto path = folder / "id";
  ASSERT_TRUE(write_private_file(path, Bytes{1, 2, 3}));
  EXPECT_EQ(write_private_file(path, Bytes{4}).error().code, ErrorCode::kExists);
  EXPECT_EQ(read_private_file(path, 3)->size(), 3U);
  EXPECT_EQ(read_private_file(path, 2).error().code, ErrorCode::kTooLarge);
  std::filesystem::permissions(path, std::filesystem::perms(0640));
  EXPECT_EQ(read_private_file(path, 3).error().code, ErrorCode::kDenied);
  EXPECT_EQ(read_private_file(folder / "none", 3).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(read_private_file(folder, 3).error().code, ErrorCode::kInvalid);
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace sotto::keys
