// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// Sealed streams into files without their keys, and out again where the keys are.
#include "core/container/reader.h"
#include "core/container/writer.h"
#include "elements/sealed/tracks.h"
#include "tests/elements/e2ee/support.h"

#include <fstream>
#include <string>

namespace sotto {
namespace {

constexpr GstClockTime kPatience = 120 * GST_SECOND;
constexpr const char* kPicture =
    "videotestsrc num-buffers=60 pattern=smpte75 ! video/x-raw,width=160,height=120,framerate=30/1 "
    "! ";
constexpr const char* kVp8 = "vp8enc deadline=1 cpu-used=8 keyframe-max-dist=15";
constexpr const char* kSound =
    "audiotestsrc num-buffers=100 samplesperbuffer=960 ! "
    "audio/x-raw,rate=48000,channels=2 ! opusenc";

struct Passed {
  Bytes bytes;
  GstClockTime pts = 0;
  bool delta = false;
};

/// A pipeline whose buffers are watched at some pads.
class Stage {
 public:
  explicit Stage(const std::string& line) {
    GError* error = nullptr;
    pipeline_ = GstPtr<GstElement>::sink(gst_parse_launch(line.c_str(), &error));
    if (error != nullptr) {
      trouble_ = error->message;
      g_clear_error(&error);
    }
  }
  ~Stage() { stop(); }
  Stage(const Stage&) = delete;
  Stage& operator=(const Stage&) = delete;

  GstPtr<GstElement> at(const char* name) const {
    return GstPtr<GstElement>::adopt(gst_bin_get_by_name(GST_BIN(pipeline_.get()), name));
  }
  /// Notes what passes; to be called before it plays.
  std::vector<Passed>& watch(const char* element, const char* pad) {
    auto& into = *seen_.emplace_back(std::make_unique<Seen>(Seen{this, {}}));
    const auto found = at(element);
    const auto where = GstPtr<GstPad>::adopt(gst_element_get_static_pad(found.get(), pad));
    gst_pad_add_probe(where.get(), GST_PAD_PROBE_TYPE_BUFFER, &Stage::on_buffer, &into, nullptr);
    return into.passed;
  }
  void set(GstState state) { gst_element_set_state(pipeline_.get(), state); }
  void stop() {
    if (pipeline_) set(GST_STATE_NULL);
  }
  /// Until the end of the stream; the error's text, or nothing.
  std::string play() {
    if (!trouble_.empty()) return trouble_;
    set(GST_STATE_PLAYING);
    return until_end();
  }
  std::string until_end() {
    const auto bus = GstPtr<GstBus>::adopt(gst_element_get_bus(pipeline_.get()));
    for (;;) {
      const auto message = GstPtr<GstMessage>::adopt(gst_bus_timed_pop_filtered(
          bus.get(), kPatience,
          static_cast<GstMessageType>(GST_MESSAGE_EOS | GST_MESSAGE_ERROR | GST_MESSAGE_WARNING)));
      if (!message) return "nothing happened";
      if (GST_MESSAGE_TYPE(message.get()) == GST_MESSAGE_EOS) return "";
      warned_ = warned_ || GST_MESSAGE_TYPE(message.get()) == GST_MESSAGE_WARNING;
      if (GST_MESSAGE_TYPE(message.get()) != GST_MESSAGE_ERROR) continue;
      GError* error = nullptr;
      gst_message_parse_error(message.get(), &error, nullptr);
      const std::string out = error->message;
      g_clear_error(&error);
      return out;
    }
  }
  bool warned() const { return warned_; }
  GstElement* pipeline() const { return pipeline_.get(); }
  std::mutex& mutex() { return mutex_; }

 private:
  struct Seen {
    Stage* stage;
    std::vector<Passed> passed;
  };
  static GstPadProbeReturn on_buffer(GstPad*, GstPadProbeInfo* info, gpointer data) {
    auto& seen = *static_cast<Seen*>(data);
    auto* buffer = GST_PAD_PROBE_INFO_BUFFER(info);
    const std::lock_guard lock(seen.stage->mutex_);
    seen.passed.push_back({bytes_of(buffer), GST_BUFFER_PTS(buffer),
                           GST_BUFFER_FLAG_IS_SET(buffer, GST_BUFFER_FLAG_DELTA_UNIT) != FALSE});
    return GST_PAD_PROBE_OK;
  }
  GstPtr<GstElement> pipeline_;
  std::string trouble_;
  bool warned_ = false;
  std::mutex mutex_;  // Protects what was seen.
  std::vector<std::unique_ptr<Seen>> seen_;
};

std::vector<Bytes> bytes_only(const std::vector<Passed>& passed) {
  std::vector<Bytes> out;
  for (const auto& each : passed) out.push_back(each.bytes);
  return out;
}

class SealedFiles : public E2eeTest {
 protected:
  std::string file() const { return (folder / "a.sotto").string(); }
  std::string seal() const { return " ! e2ee-encrypt name=seal key-file=" + key + " ! "; }
  std::string open(const std::string& with) const {
    return " ! e2ee-decrypt name=open key-file=" + with + " ! fakesink sync=false async=false";
  }
  std::string to_file() const {
    return "sealed-mux name=mux ! filesink async=false buffer-mode=unbuffered location=" + file();
  }
  std::string from_file() const {
    return "filesrc location=" + file() + " ! sealed-demux name=demux";
  }
  /// A VP8 recording; its plain frames.
  std::vector<Bytes> record(bool to_the_end = true) {
    Stage stage(kPicture + std::string(kVp8) + seal() + to_file());
    const auto& plain = stage.watch("seal", "sink");
    if (!to_the_end) {
      // The end of the stream never comes to the muxer: no index.
      const auto mux = stage.at("mux");
      const auto pad = GstPtr<GstPad>::adopt(gst_element_get_static_pad(mux.get(), "src"));
      gst_pad_add_probe(
          pad.get(), GST_PAD_PROBE_TYPE_BUFFER,
          [](GstPad*, GstPadProbeInfo* info, gpointer) {
            const auto bytes = bytes_of(GST_PAD_PROBE_INFO_BUFFER(info));
            const auto parsed = container::parse_record(bytes, 1);
            const bool index = parsed && parsed->record &&
                               std::holds_alternative<container::IndexMark>(*parsed->record);
            return index ? GST_PAD_PROBE_DROP : GST_PAD_PROBE_OK;
          },
          nullptr, nullptr);
    }
    EXPECT_EQ(stage.play(), "");
    EXPECT_EQ(plain.size(), 60U);
    return bytes_only(plain);
  }
  struct Played {
    std::vector<Bytes> frames;
    std::string error;
    bool warned = false;
    bool rebuilt = false;
  };
  Played play(const std::string& with, const std::string& source = "") {
    Stage stage((source.empty() ? from_file() : source) + open(with));
    const auto& opened = stage.watch("open", "src");
    Played out;
    out.error = stage.play();
    out.warned = stage.warned();
    GstStructure* stats = nullptr;
    g_object_get(stage.at("demux").get(), "stats", &stats, nullptr);
    const Structure held(stats);
    gboolean rebuilt = FALSE;
    gst_structure_get_boolean(stats, "index-rebuilt", &rebuilt);
    out.rebuilt = rebuilt != FALSE;
    out.frames = bytes_only(opened);
    return out;
  }
};

struct Named {
  const char* name;
  std::string encode;
};

class EveryCodec : public SealedFiles, public testing::WithParamInterface<Named> {};

TEST_P(EveryCodec, ComesBackByteForByteWhereTheKeyIs) {
  std::vector<Bytes> plain;
  {
    Stage stage(GetParam().encode + seal() + to_file());
    const auto& frames = stage.watch("seal", "sink");
    ASSERT_EQ(stage.play(), "");
    plain = bytes_only(frames);
    EXPECT_EQ(count(stage.at("mux").get(), "frames"), plain.size());
    EXPECT_EQ(count(stage.at("mux").get(), "refused"), 0U);
  }
  ASSERT_GE(plain.size(), 20U);
  const auto right = play(key);
  EXPECT_EQ(right.error, "");
  EXPECT_TRUE(right.frames == plain) << right.frames.size() << " of " << plain.size();
  EXPECT_FALSE(right.rebuilt);
  EXPECT_TRUE(play(other).frames.empty()) << "another key opens nothing";
}

INSTANTIATE_TEST_SUITE_P(
    Sealed, EveryCodec,
    testing::Values(Named{"vp8", kPicture + std::string(kVp8)},
                    Named{"vp9", kPicture + std::string("vp9enc deadline=1 cpu-used=8")},
                    Named{"h264", kPicture + std::string("x264enc speed-preset=ultrafast "
                                                         "key-int-max=15 bframes=2")},
                    Named{"h265", kPicture + std::string("x265enc speed-preset=ultrafast "
                                                         "tune=zerolatency key-int-max=15")},
                    Named{"av1", kPicture + std::string("av1enc cpu-used=8 usage-profile=realtime "
                                                        "! av1parse")},
                    Named{"opus", kSound}),
    [](const auto& test) { return std::string(test.param.name); });

TEST_F(SealedFiles, PictureAndSoundKeepTheirTimesAndKinds) {
  std::vector<Passed> plain_video;
  std::vector<Passed> plain_audio;
  {
    Stage stage(to_file() + " " + kPicture + kVp8 + " ! e2ee-encrypt name=v key-file=" + key +
                " ! mux. " + kSound + " ! e2ee-encrypt name=a key-file=" + key + " ! mux.");
    const auto& video = stage.watch("v", "sink");
    const auto& audio = stage.watch("a", "sink");
    ASSERT_EQ(stage.play(), "");
    plain_video = video;
    plain_audio = audio;
  }
  auto source = container::FileSource::open(file());
  ASSERT_TRUE(source);
  auto reader = container::Reader::open(*source);
  ASSERT_TRUE(reader);
  EXPECT_FALSE(reader->rebuilt());
  ASSERT_EQ(reader->tracks().size(), 2U);
  const auto& sound = reader->tracks()[is_sound(reader->tracks()[0]) ? 0 : 1];
  const auto& picture = reader->tracks()[is_sound(reader->tracks()[0]) ? 1 : 0];
  EXPECT_EQ(picture.width, 160U);
  EXPECT_EQ(sound.channels, 2U);
  EXPECT_GT(reader->head().begun, 1'700'000'000'000U);
  std::uint64_t latest = 0;
  while (const auto frame = *reader->next()) {
    EXPECT_GE(frame->pts + 100'000'000, latest) << "tracks are interleaved by time";
    latest = std::max(latest, frame->pts);
  }
  Stage stage(from_file() + " demux.video_0 ! queue ! e2ee-decrypt name=v key-file=" + key +
              " ! fakesink sync=false async=false demux.audio_0 ! queue ! e2ee-decrypt name=a "
              "key-file=" +
              key + " ! fakesink sync=false async=false");
  const auto& video = stage.watch("v", "src");
  const auto& audio = stage.watch("a", "src");
  ASSERT_EQ(stage.play(), "");
  EXPECT_EQ(bytes_only(video), bytes_only(plain_video));
  EXPECT_EQ(bytes_only(audio), bytes_only(plain_audio));
  ASSERT_EQ(video.size(), plain_video.size());
  for (std::size_t i = 0; i < video.size(); ++i) {
    EXPECT_EQ(video[i].delta, plain_video[i].delta) << i;
    EXPECT_EQ(video[i].pts - video[0].pts, plain_video[i].pts - plain_video[0].pts) << i;
  }
}

TEST_F(SealedFiles, TheEndIsNotNeeded) {
  const auto plain = record(false);
  const auto played = play(key);
  EXPECT_EQ(played.error, "");
  EXPECT_TRUE(played.rebuilt);
  EXPECT_TRUE(played.warned) << "it says that the file was cut off";
  EXPECT_TRUE(played.frames == plain);
}

TEST_F(SealedFiles, APipeWillDo) {
  const auto plain = record();
  const auto source =
      "filesrc blocksize=1000 location=" + file() + " ! queue ! sealed-demux name=demux";
  const auto played = play(key, source);
  EXPECT_EQ(played.error, "");
  EXPECT_FALSE(played.warned);
  EXPECT_TRUE(played.frames == plain);
}

TEST_F(SealedFiles, ADamageEndsTheStreamAndLosesNothingBefore) {
  const auto plain = record();
  std::vector<std::uint64_t> offsets;
  {
    auto source = container::FileSource::open(file());
    auto reader = container::Reader::open(*source);
    ASSERT_TRUE(reader);
    ASSERT_EQ(reader->index().entries(0).size(), 4U);
    std::fstream hit(file(), std::ios::in | std::ios::out | std::ios::binary);
    hit.seekp(static_cast<std::streamoff>(reader->index().entries(0)[2].offset));
    hit << "this is no record";
  }
  for (const auto& source :
       {from_file(), "filesrc location=" + file() + " ! queue ! sealed-demux name=demux"}) {
    const auto played = play(key, source);
    EXPECT_EQ(played.error, "");
    EXPECT_TRUE(played.warned);
    ASSERT_EQ(played.frames.size(), 30U);
    EXPECT_TRUE(std::equal(played.frames.begin(), played.frames.end(), plain.begin()));
  }
}

TEST_F(SealedFiles, WhatIsNoSealedFileIsAnError) {
  std::ofstream(file()) << std::string(10000, 'x');
  EXPECT_EQ(play(key).error, "This file cannot be played.");
  EXPECT_EQ(play(key, "filesrc location=" + file() + " ! queue ! sealed-demux name=demux").error,
            "This is not a sealed file.");
  std::ofstream(file(), std::ios::trunc) << "";
  EXPECT_NE(play(key).error, "");
}

TEST_F(SealedFiles, ASeekGoesToAKeyframeAndOpensAgainWhatWasOpened) {
  const auto plain = record();
  Stage stage(from_file() + " ! e2ee-decrypt name=open key-file=" + key +
              " ! fakesink name=end sync=false");
  auto& opened = stage.watch("open", "src");
  stage.set(GST_STATE_PLAYING);
  ASSERT_EQ(stage.until_end(), "");
  EXPECT_EQ(opened.size(), 60U);
  gint64 duration = 0;
  EXPECT_TRUE(gst_element_query_duration(stage.pipeline(), GST_FORMAT_TIME, &duration));
  EXPECT_GT(duration, 1'900'000'000);
  for (const auto target : {1'200'000'000, 0}) {
    {
      const std::lock_guard lock(stage.mutex());
      opened.clear();
    }
    ASSERT_TRUE(gst_element_seek_simple(
        stage.pipeline(), GST_FORMAT_TIME,
        static_cast<GstSeekFlags>(GST_SEEK_FLAG_FLUSH | GST_SEEK_FLAG_ACCURATE), target));
    ASSERT_EQ(stage.until_end(), "");
    const std::lock_guard lock(stage.mutex());
    const std::size_t first = target == 0 ? 0 : 30;
    ASSERT_EQ(opened.size(), 60 - first);
    EXPECT_FALSE(opened.front().delta);
    for (std::size_t i = 0; i < opened.size(); ++i) EXPECT_EQ(opened[i].bytes, plain[first + i]);
  }
  EXPECT_EQ(count(stage.at("open").get(), "replayed"), 0U);
}

TEST_F(SealedFiles, OnlyMarkedStreamsAreTaken) {
  Stage clear(kPicture + std::string(kVp8) + " ! " + to_file());
  EXPECT_NE(clear.play(), "") << "clear frames do not link";
  Stage depayed(kPicture + std::string(kVp8) + seal() + "rtpvp8pay ! rtpvp8depay ! " + to_file());
  EXPECT_NE(depayed.play(), "") << "the mark is lost behind a depayloader";
}

TEST_F(SealedFiles, ADepayloadersStreamIsTakenOnRequest) {
  std::vector<Bytes> plain;
  {
    Stage stage(kPicture + std::string(kVp8) + seal() +
                "rtpvp8pay ! rtpvp8depay ! sealed-mux accept-unmarked=true name=mux ! filesink "
                "location=" +
                file());
    const auto& frames = stage.watch("seal", "sink");
    ASSERT_EQ(stage.play(), "");
    plain = bytes_only(frames);
  }
  EXPECT_TRUE(play(key).frames == plain);
}

TEST_F(SealedFiles, ClearFramesAreDroppedWhereTheirFormTells) {
  Stage stage(kPicture + std::string("x264enc speed-preset=ultrafast ! ") +
              "video/x-h264,stream-format=byte-stream,alignment=au ! sealed-mux "
              "accept-unmarked=true name=mux ! filesink location=" +
              file());
  ASSERT_EQ(stage.play(), "");
  EXPECT_EQ(count(stage.at("mux").get(), "frames"), 0U);
  EXPECT_EQ(count(stage.at("mux").get(), "refused"), 60U);
  EXPECT_TRUE(stage.warned());
}

TEST_F(SealedFiles, StrictCapsGoInAndOut) {
  std::vector<Bytes> plain;
  {
    Stage stage(kPicture + std::string(kVp8) +
                " ! e2ee-encrypt caps-mode=strict name=seal key-file=" + key + " ! " + to_file());
    const auto& frames = stage.watch("seal", "sink");
    ASSERT_EQ(stage.play(), "");
    plain = bytes_only(frames);
  }
  const auto strict = "filesrc location=" + file() + " ! sealed-demux caps-mode=strict name=demux";
  EXPECT_TRUE(play(key, strict).frames == plain);
  Stage decoder(strict + " ! vp8dec ! fakesink");
  EXPECT_NE(decoder.play(), "") << "no decoder takes ciphertext";
}

TEST_F(SealedFiles, ARestartedMuxerBeginsANewFile) {
  Stage stage(kPicture + std::string(kVp8) + seal() + to_file());
  ASSERT_EQ(stage.play(), "");
  stage.stop();
  ASSERT_EQ(stage.play(), "");
  stage.stop();
  const auto played = play(key);
  EXPECT_EQ(played.error, "");
  EXPECT_EQ(played.frames.size(), 60U);
  EXPECT_FALSE(played.rebuilt);
}

TEST(TracksAndCaps, ComeBackAsTheyWere) {
  for (const char* text :
       {"video/x-vp8, width=320, height=240", "video/x-vp9, width=32, height=24",
        "video/x-h264, stream-format=byte-stream, alignment=au, width=320, height=240",
        "video/x-h265, stream-format=byte-stream, alignment=au",
        "video/x-av1, stream-format=obu-stream, alignment=tu, width=8, height=8",
        "audio/x-opus, rate=48000, channels=2, channel-mapping-family=0",
        "audio/x-opus, rate=48000, channels=6, channel-mapping-family=1, stream-count=4, "
        "coupled-count=2, channel-mapping=<0,4,1,2,3,5>"}) {
    const auto caps = GstPtr<GstCaps>::adopt(gst_caps_from_string(text));
    const auto track = track_of(caps.get());
    ASSERT_TRUE(track) << text;
    const auto marked = GstPtr<GstCaps>::adopt(sealed_caps(caps.get(), CapsMode::kCompatible));
    const auto back = GstPtr<GstCaps>::adopt(caps_of(*track, CapsMode::kCompatible));
    g_autofree gchar* shown = gst_caps_to_string(back.get());
    EXPECT_TRUE(gst_caps_is_equal(back.get(), marked.get())) << shown;
  }
  const auto other = GstPtr<GstCaps>::adopt(gst_caps_from_string("video/x-theora"));
  EXPECT_FALSE(track_of(other.get()));
}

}  // namespace
}  // namespace sotto
