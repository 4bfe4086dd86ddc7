// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// Files made from live tracks are opened again and decoded.
#include "pipelines/recording/recorder.h"

#include "tests/pipelines/recording/fixture.h"

#include <sys/resource.h>

#include <csignal>

namespace sotto {
namespace {

struct Case {
  rtc::Codec video;
  rtc::Codec audio;
  const char* extension;
};
class Formats : public RecorderTest, public testing::WithParamInterface<Case> {};

TEST_P(Formats, AreWrittenInStepAndSeekable) {
  Source video(GetParam().video);
  Source audio(GetParam().audio);
  const auto recorder = start({video.track, audio.track});
  ASSERT_NE(recorder, nullptr);
  ASSERT_TRUE(more(video, 30));
  EXPECT_FALSE(fs::exists(recorder->file())) << "not finished yet";
  const auto file = stop(*recorder);
  ASSERT_TRUE(file) << file.error().message;
  EXPECT_EQ(file->extension(), GetParam().extension);
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_), {}), 1) << "nothing else is left";
  Playback played(*file);
  EXPECT_GE(played.streams["video"].frames, 10);
  EXPECT_GE(played.streams["audio"].frames, 30);
  EXPECT_GE(played.duration, 1000ms);
  EXPECT_TRUE(played.seekable);
  // What was sent together begins together.
  const auto apart = static_cast<std::int64_t>(played.streams["video"].first) -
                     static_cast<std::int64_t>(played.streams["audio"].first);
  EXPECT_LT(std::abs(apart), static_cast<std::int64_t>(300 * GST_MSECOND));
  EXPECT_FALSE(ended_);
}
INSTANTIATE_TEST_SUITE_P(Containers, Formats,
                         testing::Values(Case{kVp8, kOpus, ".webm"}, Case{kVp8, kPcma, ".webm"},
                                         Case{kH264, kOpus, ".mp4"}, Case{kH264, kPcmu, ".mp4"},
                                         Case{kH265, kG722, ".mp4"}, Case{kVp9, kOpus, ".webm"}),
                         [](const auto& of) { return of.param.video.name + of.param.audio.name; });

TEST_F(RecorderTest, SoundAloneIsAFile) {
  Source audio(kOpus);
  const auto recorder = start({audio.track});
  ASSERT_TRUE(more(audio, 60));
  const auto file = stop(*recorder);
  ASSERT_TRUE(file) << file.error().message;
  Playback played(*file);
  EXPECT_GE(played.streams["audio"].frames, 50);
}

TEST_F(RecorderTest, APictureThatChangesItsSizeGoesOn) {
  for (const auto& codec : {kVp8, kH264}) {
    fs::remove(folder_ / "clip.webm");
    Source video(codec, 160);
    const auto recorder = start({video.track});
    ASSERT_TRUE(more(video, 10));
    video.stop();
    video.play(codec, 320);
    ASSERT_TRUE(more(video, 20));
    const auto file = stop(*recorder);
    ASSERT_TRUE(file) << codec.name << file.error().message;
    EXPECT_FALSE(ended_) << codec.name;
    Playback played(*file);
    EXPECT_GE(played.streams["video"].frames, 20) << codec.name;
  }
}

TEST_F(RecorderTest, ATrackThatFallsSilentHoldsNothingUp) {
  Source video(kVp8);
  Source audio(kOpus);
  const auto recorder = start({video.track, audio.track});
  ASSERT_TRUE(more(video, 15));
  video.stop();
  ASSERT_TRUE(more(audio, 100));  // Two seconds of sound.
  video.play(kVp8, 160);
  ASSERT_TRUE(more(video, 15));
  audio.stop();
  ASSERT_TRUE(more(video, 30));
  const auto file = stop(*recorder);
  ASSERT_TRUE(file) << file.error().message;
  Playback played(*file);
  EXPECT_GE(played.duration, 4500ms);
  for (const auto& [name, stream] : played.streams) {
    EXPECT_GE(stream.last, 3500 * GST_MSECOND) << name << " was filled to near the end";
  }
  EXPECT_EQ(played.streams.size(), 2U);
}

TEST_F(RecorderTest, WhatNeverBeginsIsLeftOutOrSilent) {
  Source video(kVp8);
  const auto silent = rtc::Track::create(kOpus);
  const auto dark = rtc::Track::create(kVp8);
  const auto recorder = start({video.track, silent, dark});
  ASSERT_TRUE(more(video, 60));
  const auto file = stop(*recorder);
  ASSERT_TRUE(file) << file.error().message;
  Playback played(*file);
  EXPECT_GE(played.streams["video"].frames, 40);
  EXPECT_GE(played.streams["audio"].frames, 50);
}

TEST_F(RecorderTest, PausedTimeIsCutOut) {
  Source video(kVp8);
  Source audio(kOpus);
  const auto recorder = start({video.track, audio.track});
  ASSERT_TRUE(more(video, 15));
  recorder->set_paused(true);
  ASSERT_TRUE(more(video, 45));  // Three seconds nobody shall see.
  recorder->set_paused(false);
  ASSERT_TRUE(more(video, 15));
  const auto file = stop(*recorder);
  ASSERT_TRUE(file) << file.error().message;
  Playback played(*file);
  EXPECT_GE(played.duration, 1s);
  EXPECT_LT(played.duration, 5s);
  EXPECT_GE(played.streams["video"].frames, 15);
}

TEST_F(RecorderTest, AFullDiskEndsTheRecordingAndNotTheStream) {
  // The closest an ordinary process comes to a full disk: files of its own may not grow.
  std::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  Source video(kVp8, 320);
  Source audio(kOpus);
  const auto recorder = start({video.track, audio.track});
  rlimit small = before;
  small.rlim_cur = 64U << 10U;
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  const bool told = until([&] { return ended_.has_value(); });
  setrlimit(RLIMIT_FSIZE, &before);
  ASSERT_TRUE(told);
  EXPECT_EQ(ended_->code, ErrorCode::kIo);
  EXPECT_TRUE(more(video, 10)) << "the stream goes on";
  EXPECT_EQ(video.track->stats().viewers, 0U) << "nobody records any more";
  ASSERT_TRUE(wait_for_teardown(kPatience));
  EXPECT_GT(fs::file_size(folder_ / "clip.webm"), 10'000U) << "what was written is kept";
}

TEST_F(RecorderTest, NothingComesAndNothingIsLeft) {
  const auto recorder = start({rtc::Track::create(kVp8)});
  const auto file = stop(*recorder);
  ASSERT_FALSE(file);
  EXPECT_EQ(file.error().code, ErrorCode::kNotFound);
  EXPECT_TRUE(fs::is_empty(folder_));
}

TEST_F(RecorderTest, OneFileIsOneRecording) {
  const auto track = rtc::Track::create(kVp8);
  const auto first = start({track});
  const auto second = Recorder::start(main_, folder_ / "clip", {track}, {});
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::kExists);
  const auto nowhere = Recorder::start(main_, folder_ / "no" / "folder", {track}, {});
  ASSERT_FALSE(nowhere);
  EXPECT_EQ(nowhere.error().code, ErrorCode::kIo);
  const auto mixed =
      Recorder::start(main_, folder_ / "mixed", {track, rtc::Track::create(kH264)}, {});
  ASSERT_FALSE(mixed);
  EXPECT_EQ(mixed.error().code, ErrorCode::kUnsupported);
}

TEST_F(RecorderTest, GivenUpItStillFinishes) {
  Source video(kVp8);
  {
    const auto recorder = start({video.track});
    ASSERT_TRUE(more(video, 30));
  }
  ASSERT_TRUE(wait_for_teardown(kPatience));
  Playback played(folder_ / "clip.webm");
  EXPECT_GE(played.streams["video"].frames, 15);
}

}  // namespace
}  // namespace sotto
