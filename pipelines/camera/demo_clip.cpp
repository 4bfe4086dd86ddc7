// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "pipelines/camera/demo_clip.h"

#include "core/base/scope_exit.h"
#include "pipelines/fanout/clock.h"
#include "pipelines/fanout/frame_tap.h"

#include <mutex>
#include <string>
#include <utility>

namespace sotto::camera {
namespace {

using namespace std::chrono_literals;

// 160 steps of 4 pixels bring the bars back to where they began; 500 packets of 20 ms hold a whole
// number of the tone's waves.
constexpr int kFrames = 160;
constexpr int kFps = 15;
constexpr int kSoundPackets = 500;
constexpr GstClockTime kDeadline = 60 * GST_SECOND;

class Collector final : public rtc::FrameReceiver {
 public:
  void on_frame(rtc::FramePtr frame) override { frames.push_back(std::move(frame)); }
  std::vector<rtc::FramePtr> frames;
};

// test source ! encoder ! pay ! fakesink ──► FrameTap ──► frames
Result<DemoStream> encode(const std::string& launch, const std::string& caps,
                          std::chrono::nanoseconds interval) {
  GError* error = nullptr;
  auto pipeline = GstPtr<GstElement>::sink(
      gst_parse_launch((launch + " ! fakesink name=out sync=false").c_str(), &error));
  if (error != nullptr) {
    auto failure = fail(ErrorCode::kUnsupported, std::string("demo camera: ") + error->message);
    g_error_free(error);
    return failure;
  }
  auto info = stream_info(GstPtr<GstCaps>::adopt(gst_caps_from_string(caps.c_str())), 0);
  auto collector = std::make_shared<Collector>();
  FrameTap tap(info->codec, collector);
  auto sink = GstPtr<GstElement>::adopt(gst_bin_get_by_name(GST_BIN(pipeline.get()), "out"));
  tap.probe(sink.get());
  const ScopeExit stop([&] { gst_element_set_state(pipeline.get(), GST_STATE_NULL); });
  gst_element_set_state(pipeline.get(), GST_STATE_PLAYING);
  auto bus = GstPtr<GstBus>::adopt(gst_element_get_bus(pipeline.get()));
  auto message = GstPtr<GstMessage>::adopt(gst_bus_timed_pop_filtered(
      bus.get(), kDeadline, static_cast<GstMessageType>(GST_MESSAGE_EOS | GST_MESSAGE_ERROR)));
  tap.close();
  if (!message || GST_MESSAGE_TYPE(message.get()) != GST_MESSAGE_EOS || collector->frames.empty()) {
    return fail(ErrorCode::kInternal, "demo camera: encoding failed");
  }
  return DemoStream{std::move(*info), std::move(collector->frames), interval};
}

bool have(const char* element) {
  auto factory = GstPtr<GstElementFactory>::adopt(gst_element_factory_find(element));
  return static_cast<bool>(factory);
}

Result<std::shared_ptr<const DemoClip>> make_clip() {
  // The clock in the picture needs Pango; without it the bars move all the same.
  const std::string clock =
      have("timeoverlay")
          ? "timeoverlay halignment=center valignment=center font-desc=\"Sans 28\" ! "
          : "";
  auto video = encode(
      "videotestsrc pattern=smpte horizontal-speed=4 num-buffers=" + std::to_string(kFrames) +
          " ! video/x-raw,format=I420,width=640,height=360,framerate=" + std::to_string(kFps) +
          "/1 ! " + clock +
          "videoconvert ! vp8enc deadline=1 cpu-used=5 threads=1 target-bitrate=600000 "
          "keyframe-max-dist=15 ! rtpvp8pay mtu=1200 picture-id-mode=15-bit pt=96",
      "application/x-rtp,media=video,encoding-name=VP8,clock-rate=90000,payload=96",
      std::chrono::nanoseconds(1s) / kFps);
  if (!video) return tl::unexpected(video.error());
  auto audio = encode(
      "audiotestsrc wave=sine freq=440 volume=0.08 samplesperbuffer=960 num-buffers=" +
          std::to_string(kSoundPackets) +
          " ! audio/x-raw,rate=48000,channels=2 ! audioconvert ! opusenc bitrate=32000 "
          "frame-size=20 ! rtpopuspay pt=97",
      "application/x-rtp,media=audio,encoding-name=OPUS,clock-rate=48000,encoding-params=(string)2,"
      "payload=97",
      20ms);
  if (!audio) return tl::unexpected(audio.error());
  audio->info.index = 1;
  return std::make_shared<const DemoClip>(DemoClip{std::move(*video), std::move(*audio)});
}

}  // namespace

Result<std::shared_ptr<const DemoClip>> demo_clip() {
  static std::mutex mutex;  // Held while encoding: a second caller waits for the same clip.
  static std::shared_ptr<const DemoClip> kept;
  const std::lock_guard lock(mutex);
  if (kept) return kept;
  auto made = make_clip();
  if (made) kept = *made;
  return made;
}

}  // namespace sotto::camera
