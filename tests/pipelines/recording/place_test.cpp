// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "pipelines/recording/place.h"

#include <glib.h>
#include <gtest/gtest.h>

#include <filesystem>

namespace sotto::recording {
namespace {

namespace fs = std::filesystem;

class PlaceTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "sotto-place-XXXXXX").string();
    top_ = g_mkdtemp(name.data());
    root_ = top_ / "recordings";
  }
  void TearDown() override { fs::remove_all(top_); }

  fs::path top_;
  fs::path root_;
};

TEST_F(PlaceTest, NamesStayInTheFolderWhichIsMade) {
  const auto plain = place(root_, "a-recording_1.2");
  ASSERT_TRUE(plain);
  EXPECT_EQ(*plain, fs::canonical(root_) / "a-recording_1.2");
  const auto deep = place(root_, "room/2026/talk");
  ASSERT_TRUE(deep);
  EXPECT_TRUE(fs::is_directory(root_ / "room/2026"));
}

TEST_F(PlaceTest, EverythingElseIsRefused) {
  for (const char* name :
       {"", "/etc/passwd", "../x", "a/../../x", "a/./b", "a//../b", ".hidden", "a/.hidden", "a/",
        "a b", "a\nb", "a:b", "a/b/c/d/e", "caf\xc3\xa9", "~root", "$(id)"}) {
    const auto placed = place(root_, name);
    ASSERT_FALSE(placed) << name;
    EXPECT_EQ(placed.error().code, ErrorCode::kInvalid) << name;
  }
  EXPECT_FALSE(place(root_, std::string(kMaxNameBytes + 1, 'a')));
  EXPECT_FALSE(place(root_, std::string("a\0b", 3)));
}

TEST_F(PlaceTest, ALinkLeadsNowhere) {
  fs::create_directories(root_);
  fs::create_directory_symlink(top_, root_ / "out");
  const auto placed = place(root_, "out/x");
  ASSERT_FALSE(placed);
  EXPECT_EQ(placed.error().code, ErrorCode::kInvalid);
}

}  // namespace
}  // namespace sotto::recording
