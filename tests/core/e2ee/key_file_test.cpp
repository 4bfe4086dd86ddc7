// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// Key files and links: what is written is read back, everything else is refused.
#include "core/e2ee/key_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <sstream>

namespace sotto::e2ee {
namespace {

constexpr const char* kLine = "sotto-key-v1 5 AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8\n";
constexpr const char* kKey = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

class KeyFiles : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "sotto-key-XXXXXX";
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    folder = name;
  }
  void TearDown() override { std::filesystem::remove_all(folder); }
  std::filesystem::path file(const std::string& text, mode_t mode = 0600) {
    const auto path = folder / "key";
    std::filesystem::remove(path);
    std::ofstream(path) << text;
    chmod(path.c_str(), mode);
    return path;
  }
  std::filesystem::path folder;
};

TEST_F(KeyFiles, TheExampleIsRead) {
  const auto key = read_key_file(file(kLine));
  ASSERT_TRUE(key) << key.error().message;
  EXPECT_EQ(key->suite, sframe::Suite::kAes256GcmSha512);
  EXPECT_EQ(to_hex(key->key.view()), kKey);
  EXPECT_EQ(as_text(link_value(*key).view()), "5.AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8");
  const auto linked = parse_link_value(link_value(*key).view());
  ASSERT_TRUE(linked);
  EXPECT_EQ(to_hex(linked->key.view()), kKey);
}

TEST_F(KeyFiles, ANewOneIsPrivateDifferentAndNeverOverwritten) {
  const auto path = folder / "new";
  const auto key = new_file_key(sframe::Suite::kChaCha20Poly1305Sha512);
  ASSERT_TRUE(write_key_file(path, key));
  struct stat facts {};
  ASSERT_EQ(stat(path.c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 07777U, 0600U);
  const auto again = write_key_file(path, new_file_key(sframe::kDefaultSuite));
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, ErrorCode::kExists);
  const auto read = read_key_file(path);
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->suite, key.suite);
  EXPECT_EQ(to_hex(read->key.view()), to_hex(key.key.view()));
  EXPECT_NE(to_hex(new_file_key(key.suite).key.view()), to_hex(key.key.view()));
}

TEST_F(KeyFiles, OneThatOthersCanReadIsRefused) {
  for (const mode_t mode : {0640U, 0604U, 0660U, 0644U, 0601U}) {
    const auto key = read_key_file(file(kLine, mode));
    ASSERT_FALSE(key) << std::oct << mode;
    EXPECT_EQ(key.error().code, ErrorCode::kDenied);
  }
  EXPECT_TRUE(read_key_file(file(kLine, 0400)));
}

TEST_F(KeyFiles, EverythingElseIsRefusedWithoutQuotingIt) {
  const std::string key = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";
  for (const auto& text : std::vector<std::string>{
           "", "\n", "sotto-key-v1 5 " + key, "sotto-key-v1 5 " + key + "\n\n",
           "sotto-key-v1 5 " + key + " \n", "sotto-key-v1 5  " + key + "\n",
           "sotto-key-v1 05 " + key + "\n", "sotto-key-v1 -5 " + key + "\n",
           "sotto-key-v1 99 " + key + "\n", "sotto-key-v1 65541 " + key + "\n",
           "sotto-key-v2 5 " + key + "\n", "sotto-key-v1 5 " + key.substr(1) + "\n",
           "sotto-key-v1 5 " + key + "A\n", "sotto-key-v1 5 " + key.substr(0, 42) + "9\n",
           "sotto-key-v1 5 " + key.substr(0, 42) + "=\n", "sotto-key-v1 5 " + key + "\r\n",
           "sotto-key-v1 5\n", std::string(5000, 'A')}) {
    const auto read = read_key_file(file(text));
    ASSERT_FALSE(read) << text;
    EXPECT_EQ(read.error().message.find("CAwQFBgcICQ"), std::string::npos);
  }
}

TEST_F(KeyFiles, WhatIsNoFileIsRefusedAtOnce) {
  EXPECT_EQ(read_key_file(folder / "none").error().code, ErrorCode::kNotFound);
  EXPECT_EQ(read_key_file(folder).error().code, ErrorCode::kInvalid);
  const auto fifo = folder / "fifo";
  ASSERT_EQ(mkfifo(fifo.c_str(), 0600), 0);
  EXPECT_EQ(read_key_file(fifo).error().code, ErrorCode::kInvalid) << "and does not wait for it";
}

TEST_F(KeyFiles, LinksThatAreNotOnesAreRefused) {
  for (const char* text : {"", ".", "5", "5.", "5.AAEC",
                           "x.AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxw"
                           "dHh8",
                           "5.AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8&", "5 AAEC"}) {
    EXPECT_FALSE(parse_link_value(as_bytes(text))) << text;
  }
}

}  // namespace
}  // namespace sotto::e2ee
