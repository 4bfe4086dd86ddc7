// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tests/pipelines/camera/world.h"

#include <algorithm>
#include <atomic>
#include <set>
#include <utility>

namespace sotto::camera {
namespace {

using test::CameraStream;
using test::RtspCameraOptions;

struct Case {
  std::string video;
  rtc::Codec accepts;
  unsigned clip;
};

class PassThroughTest : public CameraTest, public ::testing::WithParamInterface<int> {};

// What a camera sent on its wire, to be compared with what a viewer got.
struct Wire {
  std::mutex mutex;
  std::set<Bytes> payloads;
  void note(ByteView packet) {
    const auto header = rtc::rtp::parse(packet);
    if (!header) return;
    const auto payload = rtc::rtp::payload_of(packet, *header);
    const std::lock_guard lock(mutex);
    payloads.emplace(payload.begin(), payload.end());
  }
};

TEST_P(PassThroughTest, PacketsArriveByteForByte) {
  const Case cases[] = {{"h264", h264(), 1},
                        {"h265", h265(), 4},
                        {"vp8", vp8(), 5},
                        {"vp9", vp9(), 6},
                        {"av1", av1(), 8}};
  const Case& one = cases[GetParam()];
  auto wire = std::make_shared<Wire>();
  RtspCameraOptions options;
  options.streams = {{"/x", one.video, "", 1200}};
  options.on_packet = [wire](const std::string&, bool, ByteView packet) { wire->note(packet); };
  start_rtsp(std::move(options));
  start_camera("/x");
  Viewer& viewer = watch({one.accepts});
  ASSERT_TRUE(viewer.feed) << viewer.error.message;
  EXPECT_EQ(viewer.track("video")->track->codec().name, one.accepts.name);
  ASSERT_TRUE(sees(viewer, 30)) << viewer.video->reader().error();
  EXPECT_EQ(viewer.video->reader().marks().front().clip, one.clip);
  EXPECT_EQ(viewer.video->reader().unreadable(), 0U);
  const auto got = viewer.video->payloads();
  const std::lock_guard lock(wire->mutex);
  const auto is_set = [&](const Bytes& payload) {
    // Those of the description, which GStreamer's payloader leaves out before its first picture.
    const unsigned type = payload.front() >> 1U & 0x3FU;
    return one.video == "h265" && type >= 32 && type <= 34;
  };
  EXPECT_TRUE(std::all_of(got.begin(), got.end(), [&](const Bytes& payload) {
    return wire->payloads.contains(payload) || is_set(payload);
  }));
  EXPECT_EQ(camera_->stats().main.transcodes, 0U);
}

INSTANTIATE_TEST_SUITE_P(Codecs, PassThroughTest, ::testing::Values(0, 1, 2, 3, 4));

class RepacketiseTest : public CameraTest,
                        public ::testing::WithParamInterface<std::pair<const char*, rtc::Codec>> {};

TEST_P(RepacketiseTest, LargePacketsAreMadeSmallOnceForAll) {
  const auto& [name, codec] = GetParam();
  auto largest = std::make_shared<std::atomic<std::size_t>>(0);
  RtspCameraOptions options;
  options.streams = {{"/x", name, "", 1400}};
  options.on_packet = [largest](const std::string&, bool, ByteView packet) {
    *largest = std::max(largest->load(), packet.size());
  };
  start_rtsp(std::move(options));
  start_camera("/x");
  Viewer& viewer = watch({codec});
  ASSERT_TRUE(viewer.feed) << viewer.error.message;
  ASSERT_TRUE(sees(viewer, 30));
  EXPECT_GT(*largest, kMaxPacketBytes) << "the camera sends larger ones";
  EXPECT_LE(viewer.video->largest(), kMaxPacketBytes);
  EXPECT_EQ(viewer.video->reader().unreadable(), 0U);
  EXPECT_EQ(camera_->stats().main.transcodes, 0U);
}

INSTANTIATE_TEST_SUITE_P(Codecs, RepacketiseTest,
                         ::testing::Values(std::pair("h265", h265()), std::pair("av1", av1())),
                         [](const auto& test) { return std::string(test.param.first); });

using ParameterSetsTest = CameraTest;

TEST_F(ParameterSetsTest, OfTheDescriptionArePutIntoTheStream) {
  RtspCameraOptions options;
  options.streams = {{"/x", "h264", "", 1200, false}};
  start_rtsp(std::move(options));
  start_camera("/x");
  Viewer& viewer = watch({h264()});
  ASSERT_TRUE(viewer.feed);
  EXPECT_TRUE(sees(viewer, 20)) << "a decoder that knows nothing of the SDP shows pictures";
}

TEST_F(ParameterSetsTest, MissingEverywhereAreRefusedWithTheReason) {
  start_rtsp();
  start_camera("/h264-no-sets");
  Viewer& viewer = watch({h264()});
  ASSERT_TRUE(viewer.feed);
  ASSERT_TRUE(until([&] { return !viewer.ended.empty(); }));
  EXPECT_NE(viewer.ended.find("parameter sets"), std::string::npos);
  EXPECT_NE(camera_->info().reason.find("parameter sets"), std::string::npos);
}

using SharingTest = CameraTest;

TEST_F(SharingTest, TenViewersAreOneConnection) {
  start_rtsp();
  start_camera("/h264-1200");
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(watch().feed);
  for (auto& viewer : viewers_) {
    EXPECT_TRUE(until([&] { return viewer->video->frames() >= 5; }));
  }
  EXPECT_EQ(rtsp_->clients_ever(), 1U);
  EXPECT_EQ(camera_->info().viewers, 10U);
  EXPECT_TRUE(until([&] { return camera_->info().state == rtc::SourceState::kLive; }));
}

TEST_F(SharingTest, ALateViewerHasAPictureFromTheRingAtOnce) {
  start_rtsp();
  start_camera("/h264-1200");
  Viewer& first = watch({h264()});
  // In the middle of a group of 20 pictures.
  ASSERT_TRUE(until([&] { return first.video->frames() >= 30; }));
  Viewer& late = watch({h264()});
  ASSERT_TRUE(sees(late, 1));
  const auto frame = late.video->reader().marks().front().frame;
  EXPECT_EQ(frame % 20, 0U) << "the ring begins with the keyframe before";
}

TEST_F(SharingTest, TheConnectionClosesSomeTimeAfterTheLastViewer) {
  start_rtsp();
  start_camera("/h264-1200");
  Viewer& viewer = watch({h264()});
  ASSERT_TRUE(sees(viewer, 3));
  leave(viewer);
  EXPECT_TRUE(until([&] { return rtsp_->clients() == 0; }));
  EXPECT_TRUE(until([&] { return camera_->info().state == rtc::SourceState::kIdle; }));
  Viewer& again = watch({h264()});
  EXPECT_TRUE(sees(again, 3));
}

using SubStreamTest = CameraTest;

TEST_F(SubStreamTest, ATileOfTheWallTakesItAlone) {
  start_rtsp();
  auto options = options_for("/h264-1200");
  options.sub = options.main;
  options.sub.url = rtsp_->url("/h264-small");
  start_camera(options);
  Viewer& tile = watch({h264()}, true);
  ASSERT_TRUE(tile.feed);
  ASSERT_TRUE(sees(tile, 5));
  EXPECT_EQ(tile.video->reader().width(), 160);
  EXPECT_EQ(rtsp_->clients_ever(), 1U) << "the main stream stays closed";
}

TEST_F(SubStreamTest, IsOpenedWhenAViewerIsMovedToItAndClosedAfterwards) {
  start_rtsp();
  auto options = options_for("/h264-1200");
  options.sub = options.main;
  options.sub.url = rtsp_->url("/h264-small");
  start_camera(options);
  Viewer& viewer = watch({h264()});
  ASSERT_TRUE(viewer.feed);
  ASSERT_TRUE(viewer.track("video")->small);
  ASSERT_TRUE(sees(viewer, 5));
  EXPECT_EQ(rtsp_->clients(), 1U);
  viewer.subscriptions.front()->switch_to(viewer.track("video")->small);
  ASSERT_TRUE(until([&] { return viewer.video->reader().width() == 160; }));
  viewer.subscriptions.front()->switch_to(viewer.track("video")->track);
  ASSERT_TRUE(until([&] { return viewer.video->reader().width() == 320; }));
  EXPECT_TRUE(until([&] { return rtsp_->clients() == 1; })) << "the sub stream is closed again";
}

using DemoTest = CameraTest;

TEST_F(DemoTest, ShowsAPictureAndATone) {
  Options options;
  options.id = "demo";
  options.main.url = "demo:";
  options.patience.linger = 200ms;
  start_camera(options);
  Viewer& viewer = watch();
  ASSERT_TRUE(viewer.feed) << viewer.error.message;
  EXPECT_EQ(viewer.track("video")->track->codec().name, "VP8");
  ASSERT_TRUE(until([&] { return viewer.video->reader().pictures() >= 20; }));
  EXPECT_EQ(viewer.video->reader().width(), 640);
  ASSERT_TRUE(until([&] { return viewer.audio->reader().pitch() > 0; }))
      << viewer.audio->reader().error();
  EXPECT_NEAR(viewer.audio->reader().pitch(), 440, 20);
  EXPECT_EQ(camera_->info().type, "demo");
  Viewer& other = watch({h264()});
  ASSERT_TRUE(other.feed) << other.error.message;
  EXPECT_EQ(other.track("video")->track->codec().name, "H264");
  EXPECT_TRUE(until([&] { return other.video->reader().pictures() >= 10; }));
  leave(other);
  leave(viewer);
  EXPECT_TRUE(until([&] { return camera_->info().state == rtc::SourceState::kIdle; }));
}

}  // namespace
}  // namespace sotto::camera
