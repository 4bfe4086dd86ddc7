// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// Live encoders to record, and a player to look at what became of it.
#pragma once

#include "elements/glue/gst_ptr.h"
#include "pipelines/fanout/clock.h"
#include "pipelines/fanout/frame_tap.h"
#include "pipelines/peer/webrtcbin_peer.h"
#include "pipelines/recording/recorder.h"

#include <glib.h>
#include <gst/gst.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace sotto {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

inline constexpr auto kPatience = 60s;

inline const rtc::Codec kVp8{rtc::MediaKind::kVideo, "VP8", 96, 90000, 1, {}};
inline const rtc::Codec kH264{rtc::MediaKind::kVideo, "H264", 96, 90000, 1, {}};
inline const rtc::Codec kVp9{rtc::MediaKind::kVideo, "VP9", 96, 90000, 1, {}};
inline const rtc::Codec kH265{rtc::MediaKind::kVideo, "H265", 96, 90000, 1, {}};
inline const rtc::Codec kOpus{rtc::MediaKind::kAudio, "opus", 97, 48000, 2, {}};
inline const rtc::Codec kPcma{rtc::MediaKind::kAudio, "PCMA", 8, 8000, 1, {}};
inline const rtc::Codec kPcmu{rtc::MediaKind::kAudio, "PCMU", 0, 8000, 1, {}};
inline const rtc::Codec kG722{rtc::MediaKind::kAudio, "G722", 9, 8000, 1, {}};

/// A live encoder that feeds a track while it exists.
class Source {
 public:
  Source(const rtc::Codec& codec, int size = 160) : track(rtc::Track::create(codec)) {
    play(codec, size);
  }
  ~Source() { stop(); }
  void play(const rtc::Codec& codec, int size) {
    static const std::map<std::string, std::string> lines{
        {"VP8", "vp8enc deadline=1 keyframe-max-dist=15 ! rtpvp8pay"},
        {"VP9", "vp9enc deadline=1 cpu-used=8 keyframe-max-dist=15 ! rtpvp9pay"},
        {"H264",
         "x264enc tune=zerolatency speed-preset=ultrafast key-int-max=15 ! "
         "video/x-h264,profile=constrained-baseline ! rtph264pay config-interval=-1"},
        {"H265",
         "x265enc tune=zerolatency speed-preset=ultrafast key-int-max=15 ! rtph265pay "
         "config-interval=-1"},
        {"opus", "opusenc ! rtpopuspay"},
        {"PCMA", "alawenc ! rtppcmapay"},
        {"PCMU", "mulawenc ! rtppcmupay"},
        {"G722", "avenc_g722 ! rtpg722pay"}};
    const bool video = codec.kind == rtc::MediaKind::kVideo;
    const std::string caps =
        video ? "videotestsrc is-live=true pattern=ball ! video/x-raw,format=I420,framerate=15/1,"
                "width=" +
                    std::to_string(size) + ",height=" + std::to_string(size * 3 / 4)
              : "audiotestsrc is-live=true samplesperbuffer=480 ! audioconvert ! audioresample ! "
                "audio/x-raw,channels=1,rate=" +
                    std::string(codec.name == "opus"   ? "48000"
                                : codec.name == "G722" ? "16000"
                                                       : "8000");
    const std::string text = caps + " ! " + lines.at(codec.name) +
                             " pt=" + std::to_string(codec.payload_type) +
                             " ! fakesink name=out sync=false async=false";
    g_autoptr(GError) error = nullptr;
    pipeline_ = GstPtr<GstElement>::sink(gst_parse_launch(text.c_str(), &error));
    ASSERT_EQ(error, nullptr) << error->message;
    use_monotonic_clock(GST_PIPELINE(pipeline_.get()));
    const auto out =
        GstPtr<GstElement>::adopt(gst_bin_get_by_name(GST_BIN(pipeline_.get()), "out"));
    tap_ = std::make_unique<FrameTap>(codec, track);
    tap_->probe(out.get());
    gst_element_set_state(pipeline_.get(), GST_STATE_PLAYING);
  }
  void stop() {
    if (!pipeline_) return;
    tap_->close();
    gst_element_set_state(pipeline_.get(), GST_STATE_NULL);
    const auto bus = GstPtr<GstBus>::adopt(gst_element_get_bus(pipeline_.get()));
    gst_bus_set_flushing(bus.get(), TRUE);
    pipeline_.reset();
    tap_.reset();
  }
  std::size_t frames() const { return track->stats().frames; }

  const std::shared_ptr<rtc::Track> track;

 private:
  GstPtr<GstElement> pipeline_;
  std::unique_ptr<FrameTap> tap_;
};

/// What a player would see of a file.
struct Stream {
  int frames = 0;
  GstClockTime first = GST_CLOCK_TIME_NONE;
  GstClockTime last = 0;
};
class Playback {
 public:
  explicit Playback(const fs::path& file) {
    g_autoptr(GError) error = nullptr;
    pipeline_ = GstPtr<GstElement>::sink(
        gst_parse_launch(("filesrc location=" + file.string() + " ! " +
                          (file.extension() == ".mp4" ? "qtdemux" : "matroskademux") + " name=d")
                             .c_str(),
                         &error));
    EXPECT_EQ(error, nullptr);
    const auto decoder =
        GstPtr<GstElement>::adopt(gst_bin_get_by_name(GST_BIN(pipeline_.get()), "d"));
    g_signal_connect(decoder.get(), "pad-added", G_CALLBACK(&Playback::on_pad), this);
    gst_element_set_state(pipeline_.get(), GST_STATE_PLAYING);
    const auto bus = GstPtr<GstBus>::adopt(gst_element_get_bus(pipeline_.get()));
    const auto last = GstPtr<GstMessage>::adopt(gst_bus_timed_pop_filtered(
        bus.get(), 60 * GST_SECOND,
        static_cast<GstMessageType>(GST_MESSAGE_EOS | GST_MESSAGE_ERROR)));
    EXPECT_TRUE(last && GST_MESSAGE_TYPE(last.get()) == GST_MESSAGE_EOS) << file;
    gint64 value = 0;
    if (gst_element_query_duration(pipeline_.get(), GST_FORMAT_TIME, &value)) {
      duration = std::chrono::milliseconds(value / GST_MSECOND);
    }
    GstQuery* query = gst_query_new_seeking(GST_FORMAT_TIME);
    gboolean can = FALSE;
    if (gst_element_query(pipeline_.get(), query)) {
      gst_query_parse_seeking(query, nullptr, &can, nullptr, nullptr);
    }
    seekable = can != FALSE;
    gst_query_unref(query);
    gst_element_set_state(pipeline_.get(), GST_STATE_NULL);
    gst_bus_set_flushing(bus.get(), TRUE);
  }
  std::map<std::string, Stream> streams;  ///< "video" and "audio"
  std::chrono::milliseconds duration{0};
  bool seekable = false;

 private:
  static void on_pad(GstElement*, GstPad* pad, gpointer held) {
    auto* self = static_cast<Playback*>(held);
    const auto caps = GstPtr<GstCaps>::adopt(gst_pad_get_current_caps(pad));
    const std::string name = gst_structure_get_name(gst_caps_get_structure(caps.get(), 0));
    Stream* stream = nullptr;
    {
      const std::lock_guard lock(self->mutex_);
      stream = &self->streams[name.substr(0, 5)];
    }
    static const std::map<std::string, std::string> decoders{
        {"video/x-vp8", "vp8dec"},
        {"video/x-vp9", "vp9dec"},
        {"video/x-h264", "h264parse ! avdec_h264"},
        {"video/x-h265", "h265parse ! avdec_h265"},
        {"audio/x-opus", "opusparse ! opusdec"}};
    ASSERT_EQ(decoders.count(name), 1U) << name;
    g_autoptr(GError) error = nullptr;
    GstElement* bin = gst_parse_bin_from_description(
        ("queue ! " + decoders.at(name) + " ! fakesink name=end sync=false").c_str(), TRUE, &error);
    ASSERT_EQ(error, nullptr);
    gst_bin_add(GST_BIN(self->pipeline_.get()), bin);
    const auto sink = GstPtr<GstElement>::adopt(gst_bin_get_by_name(GST_BIN(bin), "end"));
    const auto end = GstPtr<GstPad>::adopt(gst_element_get_static_pad(sink.get(), "sink"));
    gst_pad_add_probe(
        end.get(), GST_PAD_PROBE_TYPE_BUFFER,
        [](GstPad*, GstPadProbeInfo* info, gpointer to) {
          auto* of = static_cast<Stream*>(to);
          const auto pts = GST_BUFFER_PTS(GST_PAD_PROBE_INFO_BUFFER(info));
          if (of->frames++ == 0) of->first = pts;
          of->last = pts;
          return GST_PAD_PROBE_OK;
        },
        stream, nullptr);
    gst_element_sync_state_with_parent(bin);
    const auto in = GstPtr<GstPad>::adopt(gst_element_get_static_pad(bin, "sink"));
    EXPECT_EQ(gst_pad_link(pad, in.get()), GST_PAD_LINK_OK) << name;
  }
  GstPtr<GstElement> pipeline_;
  std::mutex mutex_;
};

class RecorderTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "sotto-recorder-XXXXXX").string();
    folder_ = g_mkdtemp(name.data());
  }
  void TearDown() override {
    EXPECT_TRUE(wait_for_teardown(kPatience));
    while (g_main_context_iteration(main_.raw(), FALSE) != FALSE) {
    }
    fs::remove_all(folder_);
  }
  template <class Done>
  bool until(Done done) {
    bool late = false;
    const auto bound = main_.after(kPatience, [&] { late = true; });
    const auto tick = main_.every(10ms, [] {});
    while (!done() && !late) g_main_context_iteration(main_.raw(), TRUE);
    return done();
  }
  /// Until that many more frames came.
  bool more(const Source& source, std::size_t frames) {
    return until([&, goal = source.frames() + frames] { return source.frames() >= goal; });
  }
  std::unique_ptr<Recorder> start(const std::vector<std::shared_ptr<rtc::Track>>& tracks) {
    auto recorder = Recorder::start(main_, folder_ / "clip", tracks,
                                    [this](Error error) { ended_ = std::move(error); });
    EXPECT_TRUE(recorder) << recorder.error().message;
    return recorder ? std::move(*recorder) : nullptr;
  }
  Result<fs::path> stop(Recorder& recorder) {
    std::optional<Result<fs::path>> result;
    recorder.stop([&](Result<fs::path> done) { result = std::move(done); });
    EXPECT_TRUE(until([&] { return result.has_value(); }));
    return result.value_or(fail(ErrorCode::kTimeout, "not finished"));
  }

  MainContext main_;
  fs::path folder_;
  std::optional<Error> ended_;
};

}  // namespace sotto
