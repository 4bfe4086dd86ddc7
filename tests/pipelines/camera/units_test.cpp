// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "pipelines/camera/backoff.h"
#include "pipelines/camera/drift.h"
#include "pipelines/camera/inspect.h"
#include "pipelines/camera/recipes.h"
#include "pipelines/camera/rtp_converter.h"
#include "pipelines/camera/stream_info.h"

#include <gtest/gtest.h>

namespace sotto::camera {
namespace {

using namespace std::chrono_literals;

TEST(BackoffTest, QuickAtFirstThenSlowThenBounded) {
  // 20 of 41 is the middle of the spread.
  Backoff backoff(Patience{}, [] { return 20U; });
  EXPECT_EQ(backoff.next(), 250ms);
  EXPECT_EQ(backoff.next(), 500ms);
  EXPECT_EQ(backoff.next(), 1000ms);
  auto waited = 1750ms;
  while (waited < 30s) {
    const auto pause = backoff.next();
    EXPECT_EQ(pause, 2000ms) << "a camera that boots is not kept waiting";
    waited += pause;
  }
  EXPECT_EQ(backoff.next(), 4000ms);
  for (int i = 0; i < 10; ++i) EXPECT_LE(backoff.next(), 30s);
  EXPECT_EQ(backoff.next(), 30s);
  backoff.reset();
  EXPECT_EQ(backoff.next(), 250ms);
}

TEST(BackoffTest, SpreadsByAFifthEitherWay) {
  Backoff early(Patience{}, [] { return 0U; });
  Backoff late(Patience{}, [] { return 40U; });
  EXPECT_EQ(early.next(), 200ms);
  EXPECT_EQ(late.next(), 300ms);
}

TEST(BackoffTest, IsSlowAtOnceAfterAWrongPassword) {
  Backoff backoff(Patience{}, [] { return 20U; });
  backoff.be_slow();
  EXPECT_GE(backoff.next(), 15s);
}

/// Pictures at 25 a second; each comes `late` after its time by the camera's clock.
class Pictures {
 public:
  template <class Late>
  void show(int seconds, Late late) {
    for (int i = 0; i < 25 * seconds; ++i) {
      drift.add(rtp_time_, 1h + 40ms * count_ + late(i));
      rtp_time_ += 3600;
      ++count_;
    }
  }
  void set_clock(std::uint32_t rtp_time) { rtp_time_ = rtp_time; }
  Drift drift{90000};

 private:
  std::uint32_t rtp_time_ = 0xFFFF0000;  // It wraps in the first second.
  int count_ = 0;
};

std::chrono::nanoseconds jitter(int i) { return (i * 7 % 11) * 1ms; }

TEST(DriftTest, IsNothingWhileEveryPictureTakesAsLong) {
  Pictures pictures;
  pictures.show(600, jitter);
  EXPECT_EQ(pictures.drift.growth(), 0ms);
}

TEST(DriftTest, AQueueThatFillsShowsByWhatItHolds) {
  Pictures pictures;
  pictures.show(20, jitter);
  pictures.show(100, [](int i) { return jitter(i) + i * 200us; });  // 5 ms a second.
  // The newest whole window began up to ten seconds ago, and its quickest picture was the first.
  EXPECT_GE(pictures.drift.growth(), 440ms);
  EXPECT_LE(pictures.drift.growth(), 500ms);
  pictures.show(10, jitter);
  EXPECT_EQ(pictures.drift.growth(), 0ms) << "and that it was emptied";
}

TEST(DriftTest, AHiccupIsNoDrift) {
  Pictures pictures;
  pictures.show(20, jitter);
  pictures.show(2, [](int i) { return 1500ms - i * 30ms; });
  pictures.show(20, jitter);
  EXPECT_EQ(pictures.drift.growth(), 0ms);
}

TEST(DriftTest, AJumpOfTheCamerasClockBeginsAnew) {
  Pictures pictures;
  pictures.show(20, jitter);
  pictures.set_clock(12345);
  pictures.show(20, jitter);
  EXPECT_EQ(pictures.drift.growth(), 0ms);
}

TEST(ReorderWatchTest, StepsBackWithBSlicesAreBFrames) {
  ReorderWatch watch;
  // I P B B P B B at 15 frames a second, in the order they are sent.
  bool seen = false;
  const unsigned order[] = {0, 3, 1, 2, 6, 4, 5};
  for (const unsigned picture : order) {
    seen = watch.saw_reordering(picture * 6000, picture % 3 != 0, 90000);
  }
  EXPECT_TRUE(seen);
}

TEST(ReorderWatchTest, AJumpOfTheClockIsNot) {
  ReorderWatch watch;
  for (unsigned i = 0; i < 100; ++i) EXPECT_FALSE(watch.saw_reordering(i * 6000, false, 90000));
  // Two hours back, and on from there.
  const auto base = static_cast<std::uint32_t>(-7200LL * 90000);
  for (unsigned i = 0; i < 100; ++i) {
    EXPECT_FALSE(watch.saw_reordering(base + i * 6000, false, 90000));
  }
}

TEST(ReorderWatchTest, OneStepBackMayBeACorrection) {
  ReorderWatch watch;
  std::uint32_t time = 1000;
  for (int i = 0; i < 200; ++i) {
    time += i % 50 == 49 ? static_cast<std::uint32_t>(-3000) : 6000;
    EXPECT_FALSE(watch.saw_reordering(time, false, 90000)) << i;
  }
}

StreamInfo info_of(const char* caps) {
  gst_init(nullptr, nullptr);
  return stream_info(GstPtr<GstCaps>::adopt(gst_caps_from_string(caps)), 0).value_or(StreamInfo{});
}

TEST(StreamInfoTest, TakesTheProfileFromTheParameterSetsWhereItIsNotTold) {
  const auto info = info_of(
      "application/x-rtp,media=video,clock-rate=90000,encoding-name=H264,payload=96,"
      "sprop-parameter-sets=(string)\"Z01ADdoFB+wFqDAwMgAAAwACAAADAD0eKFVA,aO88gA==\"");
  EXPECT_EQ(info.parameter_sets.size(), 2U);
  EXPECT_EQ(rtc::fmtp_value(info.codec.fmtp, "profile-level-id"), "4d400d");
}

TEST(StreamInfoTest, KnowsStaticPayloadTypes) {
  const auto info = info_of("application/x-rtp,media=audio,clock-rate=8000,payload=8");
  EXPECT_EQ(info.codec.name, "PCMA");
}

TEST(StreamInfoTest, LeavesMetadataAlone) {
  gst_init(nullptr, nullptr);
  EXPECT_FALSE(stream_info(GstPtr<GstCaps>::adopt(gst_caps_from_string(
                               "application/x-rtp,media=application,clock-rate=90000,"
                               "encoding-name=VND.ONVIF.METADATA,payload=107")),
                           0));
}

TEST(StreamInfoTest, GarbageSetsAreLeftOut) {
  const auto info = info_of(
      "application/x-rtp,media=video,clock-rate=90000,encoding-name=H264,payload=96,"
      "sprop-parameter-sets=(string)\"%%%,,AA==\"");
  EXPECT_TRUE(info.parameter_sets.empty());
  EXPECT_EQ(rtc::fmtp_value(info.codec.fmtp, "profile-level-id"), "42e01f");
}

constexpr const char* kSealedRtp =
    "application/x-rtp,media=video,clock-rate=90000,encoding-name=VP8,payload=96,"
    "x-sotto-e2ee=sframe";

TEST(SealedStreams, AreKnownByTheirDescription) {
  EXPECT_TRUE(info_of(kSealedRtp).sealed);
  EXPECT_FALSE(
      info_of("application/x-rtp,media=video,clock-rate=90000,encoding-name=VP8,payload=96")
          .sealed);
  GstSDPMessage* message = nullptr;
  constexpr const char* kDescription =
      "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\nm=video 0 RTP/AVP 96\r\n"
      "a=rtpmap:96 VP8/90000\r\na=x-sotto-e2ee:sframe\r\n";
  ASSERT_EQ(gst_sdp_message_new_from_text(kDescription, &message), GST_SDP_OK);
  EXPECT_TRUE(stream_info(*message, 0)->sealed);
  gst_sdp_message_free(message);
}

TEST(SealedStreams, ReachNoDepayloaderParserOrDecoder) {
  gst_init(nullptr, nullptr);
  const rtc::Codec vp8{rtc::MediaKind::kVideo, "VP8", 96, 90000, 1, {}};
  class Nobody : public rtc::FrameReceiver {
    void on_frame(rtc::FramePtr) override {}
  };
  for (const auto& recipe : {*repacketise(vp8), *transcode(vp8, "H264"), *transcode(vp8, "VP8")}) {
    for (const bool sealed : {true, false}) {
      const char* text = sealed ? kSealedRtp
                                : "application/x-rtp,media=video,clock-rate=90000,"
                                  "encoding-name=VP8,payload=96";
      const auto made = RtpConverter::create({recipe,
                                              GstPtr<GstCaps>::adopt(gst_caps_from_string(text)),
                                              vp8,
                                              std::make_shared<Nobody>(),
                                              {}});
      EXPECT_EQ(made.has_value(), !sealed) << recipe.launch;
      if (sealed) {
        EXPECT_EQ(made.error().code, ErrorCode::kUnsupported);
      }
    }
  }
}

}  // namespace
}  // namespace sotto::camera
