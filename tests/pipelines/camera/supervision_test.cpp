// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tests/pipelines/camera/world.h"

#include <dirent.h>

#include <algorithm>
#include <filesystem>

namespace sotto::camera {
namespace {

using test::RtspCameraOptions;

using SupervisionTest = CameraTest;

bool goes_forward(const std::vector<std::uint32_t>& times) {
  return std::adjacent_find(times.begin(), times.end(), [](std::uint32_t a, std::uint32_t b) {
           return static_cast<std::int32_t>(b - a) < 0;
         }) == times.end();
}

TEST_F(SupervisionTest, ViewersStayWhileTheCameraIsAway) {
  start_rtsp();
  start_camera("/h264-1200");
  Viewer& viewer = watch({h264(), opus()});
  ASSERT_TRUE(viewer.feed) << viewer.error.message;
  ASSERT_TRUE(sees(viewer, 10));
  rtsp_->stop();
  ASSERT_TRUE(until([&] { return camera_->info().state == rtc::SourceState::kAway; }));
  EXPECT_FALSE(camera_->info().reason.empty());
  ASSERT_TRUE(until([&] { return camera_->stats().main.connections >= 4; }))
      << "it is tried again and again";
  const std::size_t sound = viewer.audio->frames();
  ASSERT_TRUE(rtsp_->resume());
  ASSERT_TRUE(sees(viewer, 20));
  EXPECT_TRUE(until([&] { return viewer.audio->frames() > sound; }));
  EXPECT_TRUE(viewer.ended.empty());
  EXPECT_TRUE(until([&] { return camera_->info().state == rtc::SourceState::kLive; }));
  EXPECT_EQ(camera_->stats().main.restarts, 1U);
  EXPECT_TRUE(goes_forward(viewer.video->times()));
}

TEST_F(SupervisionTest, SoundWithoutPicturesIsBroken) {
  start_rtsp();
  auto options = options_for("/h264-1200");
  options.patience.silence = 1s;
  start_camera(options);
  Viewer& viewer = watch({h264(), opus()});
  ASSERT_TRUE(viewer.feed) << viewer.error.message;
  ASSERT_TRUE(sees(viewer, 5));
  rtsp_->send_video(false);
  ASSERT_TRUE(until([&] { return camera_->info().state == rtc::SourceState::kAway; }));
  EXPECT_EQ(camera_->info().reason, "the camera sends sound but no pictures");
  rtsp_->send_video(true);
  EXPECT_TRUE(sees(viewer, 10));
  EXPECT_TRUE(viewer.ended.empty());
}

TEST_F(SupervisionTest, SoundThatStopsBesidePicturesIsAskedForAgain) {
  start_rtsp();
  auto options = options_for("/h264-1200");
  options.patience.silence = 1s;
  start_camera(options);
  Viewer& viewer = watch({h264(), opus()});
  ASSERT_TRUE(viewer.feed) << viewer.error.message;
  ASSERT_TRUE(until([&] { return viewer.audio->frames() >= 5; }));
  rtsp_->send_audio(false);
  ASSERT_TRUE(until([&] { return camera_->info().state == rtc::SourceState::kAway; }));
  EXPECT_EQ(camera_->info().reason, "the camera sends pictures but no sound any more");
  const std::size_t sound = viewer.audio->frames();
  rtsp_->send_audio(true);
  EXPECT_TRUE(until([&] { return viewer.audio->frames() >= sound + 5; }));
  EXPECT_TRUE(sees(viewer, 5));
  EXPECT_TRUE(viewer.ended.empty());
}

TEST_F(SupervisionTest, ACodecChangedMeanwhileIsTranscodedToTheOldOne) {
  RtspCameraOptions rtsp;
  rtsp.streams = {{"/x", "h264", "", 1200}};
  start_rtsp(std::move(rtsp));
  start_camera("/x");
  Viewer& viewer = watch({h264()});
  ASSERT_TRUE(sees(viewer, 5));
  rtsp_->stop();
  ASSERT_TRUE(until([&] { return camera_->info().state == rtc::SourceState::kAway; }));
  rtsp_->replace({"/x", "vp8", "", 1200});
  ASSERT_TRUE(rtsp_->resume());
  EXPECT_TRUE(until([&] {
    const auto marks = viewer.video->reader().marks();
    return !marks.empty() && marks.back().clip == 5;
  }));
  EXPECT_EQ(camera_->stats().main.transcodes, 1U);
  EXPECT_TRUE(viewer.ended.empty());
}

TEST_F(SupervisionTest, AFeedEndsWhenTheNewCodecCannotBeServed) {
  RtspCameraOptions rtsp;
  rtsp.streams = {{"/x", "vp9", "", 1200}};
  start_rtsp(std::move(rtsp));
  start_camera("/x");
  Viewer& viewer = watch({vp9()});
  ASSERT_TRUE(sees(viewer, 5));
  rtsp_->stop();
  ASSERT_TRUE(until([&] { return camera_->info().state == rtc::SourceState::kAway; }));
  rtsp_->replace({"/x", "h264", "", 1200});
  ASSERT_TRUE(rtsp_->resume());
  ASSERT_TRUE(until([&] { return !viewer.ended.empty(); }));
  EXPECT_NE(viewer.ended.find("H264"), std::string::npos);
}

TEST_F(SupervisionTest, AJumpOfTheCamerasClockDoesNotShow) {
  start_rtsp();
  start_camera("/h264-1200");
  Viewer& viewer = watch({h264()});
  ASSERT_TRUE(sees(viewer, 10));
  for (const auto by : {3'600'000ms, -7'200'000ms}) {
    rtsp_->jump_video_time(by);
    ASSERT_TRUE(sees(viewer, 30));
  }
  const auto times = viewer.video->times();
  EXPECT_TRUE(goes_forward(times));
  const double seconds = static_cast<double>(times.back() - times.front()) / 90000;
  EXPECT_LT(seconds, 120) << "the hour did not get through";
  EXPECT_TRUE(viewer.ended.empty());
}

TEST_F(SupervisionTest, DelayDoesNotGrow) {
  start_rtsp();
  start_camera("/h264");
  Viewer& viewer = watch({h264()});
  ASSERT_TRUE(sees(viewer, 60));
  // A bound on waiting, not a measurement: far above what it takes, far below the four seconds that
  // passed.
  EXPECT_LT(camera_->stats().main.delay, std::chrono::nanoseconds(2s));
  // Eleven seconds of media: two windows, the later against the first.
  ASSERT_TRUE(sees(viewer, 110));
  EXPECT_LT(camera_->stats().main.drift, std::chrono::nanoseconds(2s));
}

TEST_F(SupervisionTest, AWrongPasswordIsToldAndNotShown) {
  RtspCameraOptions rtsp;
  rtsp.user = "viewer";
  rtsp.password = "right-horse";
  start_rtsp(std::move(rtsp));
  auto options = options_for("/h264-1200");
  options.main.user = "viewer";
  options.main.password = "wrong-horse";
  start_camera(options);
  Viewer& viewer = watch();
  EXPECT_FALSE(viewer.feed);
  EXPECT_EQ(viewer.error.code, ErrorCode::kUnauthenticated) << viewer.error.message;
  EXPECT_EQ(viewer.error.message.find("horse"), std::string::npos);
  EXPECT_EQ(camera_->info().state, rtc::SourceState::kFailed);
  EXPECT_EQ(camera_->info().reason, viewer.error.message);
}

class LogInTest : public CameraTest, public ::testing::WithParamInterface<bool> {};

TEST_P(LogInTest, OpensTheCamera) {
  RtspCameraOptions rtsp;
  rtsp.user = "viewer";
  rtsp.password = "p@ss:w/rd";
  rtsp.basic_login = GetParam();
  start_rtsp(std::move(rtsp));
  auto options = options_for("/h264-1200");
  options.main.user = "viewer";
  options.main.password = "p@ss:w/rd";
  start_camera(options);
  Viewer& viewer = watch();
  ASSERT_TRUE(viewer.feed) << viewer.error.message;
  EXPECT_TRUE(sees(viewer, 3));
}

INSTANTIATE_TEST_SUITE_P(BasicAndDigest, LogInTest, ::testing::Bool());

TEST_F(SupervisionTest, TlsIsCheckedUnlessToldOtherwise) {
  RtspCameraOptions rtsp;
  rtsp.tls = true;
  start_rtsp(std::move(rtsp));
  auto options = options_for("/h264-1200");
  options.main.transport = Transport::kTls;
  start_camera(options);
  Viewer& refused = watch();
  EXPECT_FALSE(refused.feed) << "nobody signed the camera's certificate";
  EXPECT_EQ(refused.error.code, ErrorCode::kCrypto) << refused.error.message;
  camera_->close();
  options.main.verify_tls = false;
  start_camera(options);
  Viewer& viewer = watch({h264(), opus()});
  ASSERT_TRUE(viewer.feed) << viewer.error.message;
  EXPECT_TRUE(sees(viewer, 10));
}

TEST_F(SupervisionTest, UdpWorks) {
  start_rtsp();
  auto options = options_for("/h264-1200");
  options.main.transport = Transport::kUdp;
  start_camera(options);
  Viewer& viewer = watch({h264(), opus()});
  ASSERT_TRUE(viewer.feed) << viewer.error.message;
  EXPECT_TRUE(sees(viewer, 15));
  EXPECT_TRUE(until([&] { return viewer.audio->frames() >= 10; }));
}

TEST_F(SupervisionTest, NobodyThereAndNoSuchPathAreDifferentReasons) {
  start_rtsp();
  start_camera("/nothing");
  Viewer& lost = watch();
  EXPECT_EQ(lost.error.code, ErrorCode::kNotFound) << lost.error.message;
  camera_->close();
  const auto options = options_for("/h264");
  rtsp_->stop();
  start_camera(options);
  Viewer& nobody = watch();
  EXPECT_EQ(nobody.error.code, ErrorCode::kUnavailable) << nobody.error.message;
}

TEST_F(SupervisionTest, RemovalEndsTheFeeds) {
  start_rtsp();
  start_camera("/h264-1200");
  Viewer& viewer = watch();
  ASSERT_TRUE(sees(viewer, 2));
  camera_->close();
  EXPECT_FALSE(viewer.ended.empty());
  EXPECT_TRUE(until([&] { return rtsp_->clients() == 0; }));
}

TEST_F(SupervisionTest, KeptWarmItIsLiveBeforeAnybodyLooks) {
  start_rtsp();
  auto options = options_for("/h264-1200");
  options.keep_warm = true;
  start_camera(options);
  EXPECT_TRUE(until([&] { return camera_->info().state == rtc::SourceState::kLive; }));
  EXPECT_EQ(camera_->info().viewers, 0U);
}

std::size_t entries(const char* folder) {
  std::size_t count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(folder)) ++count;
  return count;
}

TEST_F(SupervisionTest, ComingAndGoingLeavesNothingBehind) {
  start_rtsp();
  start_camera("/h265");
  std::size_t threads = 0;
  std::size_t files = 0;
  const auto settled = [&] {
    return camera_->info().state == rtc::SourceState::kIdle && rtsp_->clients() == 0;
  };
  // The first rounds start what stays: workers, thread pools of GLib and of the test camera.
  constexpr int kRounds = 12;
  constexpr int kWarmUp = 4;
  for (int round = 0; round < kRounds; ++round) {
    Viewer& viewer = watch({h264(), opus()});
    ASSERT_TRUE(viewer.feed) << viewer.error.message;
    ASSERT_TRUE(sees(viewer, 2));
    leave(viewer);
    ASSERT_TRUE(until(settled));
    ASSERT_TRUE(wait_for_reaper(60s));
    if (round == kWarmUp) {
      threads = entries("/proc/self/task");
      files = entries("/proc/self/fd");
    }
  }
  // GLib's pools give threads back after a while, so there may be a few more or fewer at any time;
  // what leaks does so once a round.
  constexpr std::size_t kSlack = 4;
  EXPECT_TRUE(until([&] { return entries("/proc/self/task") <= threads + kSlack; }, 30s))
      << entries("/proc/self/task") << " threads, " << threads << " before";
  EXPECT_LE(entries("/proc/self/fd"), files + kSlack);
}

}  // namespace
}  // namespace sotto::camera
