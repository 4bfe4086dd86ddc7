// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// What a process leaves behind that is killed while it records, and what becomes of it.
#include "pipelines/recording/repair.h"

#include "tests/pipelines/recording/fixture.h"

#include <condition_variable>
#include <fstream>
#include <iterator>
#include <string_view>

namespace sotto {
namespace {

using recording::Repair;
using recording::unfinished;

/// Whether there is a Cues element (RFC 9559, 5.1.5) beside the mention of one at the beginning:
/// without it a player seeks by guessing.
bool has_index(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(in), {}};
  constexpr std::string_view kCues = "\x1c\x53\xbb\x6b";
  const auto mention = bytes.find(kCues);
  return mention != std::string::npos && bytes.find(kCues, mention + 1) != std::string::npos;
}

class RepairTest : public RecorderTest {
 protected:
  /// The bytes that are on the disk when somebody pulls the plug: `name` with .part.
  fs::path killed_while_recording(const Source& video, const Source& sound,
                                  const std::string& name) {
    const auto recorder = start({video.track, sound.track});
    EXPECT_TRUE(more(video, 45));
    const fs::path left = folder_ / "left";
    fs::create_directories(left / "sub");
    const fs::path copy = left / "sub" / (name + recorder->file().extension().string() + ".part");
    fs::copy_file(recorder->file().string() + ".part", copy);
    (void)stop(*recorder);
    return copy;
  }

  std::map<fs::path, Result<fs::path>> repaired() {
    std::mutex mutex;
    std::condition_variable changed;
    std::map<fs::path, Result<fs::path>> results;
    const auto parts = unfinished(folder_ / "left");
    const Repair repair(parts, [&](const fs::path& part, const Result<fs::path>& result) {
      const std::lock_guard lock(mutex);
      results.emplace(part, result);
      changed.notify_all();
    });
    std::unique_lock lock(mutex);
    changed.wait_for(lock, kPatience, [&] { return results.size() == parts.size(); });
    return results;
  }
};

TEST_F(RepairTest, AnUnfinishedWebmBecomesWholeAndSeekable) {
  const Source video(kVp8);
  const Source sound(kOpus);
  const auto part = killed_while_recording(video, sound, "cam");
  EXPECT_FALSE(has_index(part)) << "it is as unfinished as the test says";
  // The last write may have been cut anywhere.
  fs::resize_file(part, fs::file_size(part) - 7);
  const auto results = repaired();
  ASSERT_EQ(results.size(), 1U);
  ASSERT_TRUE(results.begin()->second) << results.begin()->second.error().message;
  const fs::path whole = folder_ / "left" / "sub" / "cam.webm";
  EXPECT_EQ(*results.begin()->second, whole);
  EXPECT_FALSE(fs::exists(part));
  EXPECT_TRUE(has_index(whole));
  Playback played(whole);
  EXPECT_TRUE(played.seekable);
  // The newest half second may not have been on the disk.
  EXPECT_GE(played.duration, 300ms);
  EXPECT_GE(played.streams["video"].frames, 5);
  EXPECT_GE(played.streams["audio"].frames, 5);
  EXPECT_TRUE(unfinished(folder_ / "left").empty());
}

TEST_F(RepairTest, AnUnfinishedMp4IsWholeAsItIs) {
  const Source video(kH264);
  const Source sound(kOpus);
  const auto part = killed_while_recording(video, sound, "cam");
  ASSERT_EQ(part.filename(), "cam.mp4.part");
  const auto results = repaired();
  ASSERT_EQ(results.size(), 1U);
  ASSERT_TRUE(results.begin()->second) << results.begin()->second.error().message;
  Playback played(folder_ / "left" / "sub" / "cam.mp4");
  EXPECT_GE(played.streams["video"].frames, 5);
}

TEST_F(RepairTest, WhatCannotBeMendedStaysAndNothingElseIsTouched) {
  const fs::path left = folder_ / "left";
  fs::create_directories(left / "1" / "2" / "3" / "4" / "5");
  const auto write = [](const fs::path& file, const std::string& text) {
    std::ofstream(file) << text;
  };
  write(left / "garbage.webm.part", std::string(5000, 'x'));
  write(left / "empty.webm.part", "");
  write(left / "taken.webm.part", "new");
  write(left / "taken.webm", "old");
  write(left / "letter.txt.part", "not ours");
  write(left / "1" / "2" / "3" / "4" / "5" / "deep.webm.part", "deeper than any of ours");
  fs::create_symlink("/etc/passwd", left / "link.webm.part");
  const auto results = repaired();
  ASSERT_EQ(results.size(), 3U);
  EXPECT_EQ(results.at(left / "garbage.webm.part").error().code, ErrorCode::kParse);
  EXPECT_EQ(results.at(left / "empty.webm.part").error().code, ErrorCode::kNotFound);
  EXPECT_EQ(results.at(left / "taken.webm.part").error().code, ErrorCode::kExists);
  EXPECT_TRUE(fs::exists(left / "garbage.webm.part"));
  EXPECT_FALSE(fs::exists(left / "garbage.webm.part.repaired"));
  EXPECT_FALSE(fs::exists(left / "empty.webm.part"));
  EXPECT_EQ(fs::file_size(left / "taken.webm"), 3U);
  EXPECT_TRUE(fs::exists(left / "letter.txt.part"));
  EXPECT_TRUE(fs::is_symlink(left / "link.webm.part"));
  EXPECT_TRUE(unfinished(folder_ / "nowhere").empty());
}

TEST_F(RepairTest, EndsAtOnceWhenTheProcessDoes) {
  const fs::path left = folder_ / "left";
  fs::create_directories(left);
  for (int i = 0; i < 20; ++i) {
    std::ofstream(left / (std::to_string(i) + ".webm.part")) << std::string(100'000, '\0');
  }
  const Repair repair(unfinished(left), [](const fs::path&, const Result<fs::path>&) {});
}

}  // namespace
}  // namespace sotto
