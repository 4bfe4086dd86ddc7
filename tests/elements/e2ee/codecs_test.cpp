// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// Sealed streams of real encoders through stock payloaders, and ours for AV1: every frame
// authentic, every byte the same.
#include "tests/elements/e2ee/support.h"

#include <string>

namespace sotto {
namespace {

constexpr GstClockTime kPatience = 120 * GST_SECOND;

struct Way {
  const char* name;
  const char* encode;
  const char* carry;  // From e2ee-encrypt to e2ee-decrypt.
  int frames;
};

constexpr const char* kPicture =
    "videotestsrc num-buffers=90 pattern=smpte75 ! video/x-raw,width=320,height=240,framerate=30/1 "
    "! ";
constexpr const char* kSound =
    "audiotestsrc num-buffers=100 samplesperbuffer=960 ! "
    "audio/x-raw,rate=48000,channels=1 ! ";

/// Bytes of all buffers that pass a pad.
class Collector {
 public:
  Collector(GstElement* pipeline, const char* element, const char* pad) {
    const auto found = GstPtr<GstElement>::adopt(gst_bin_get_by_name(GST_BIN(pipeline), element));
    const auto at = GstPtr<GstPad>::adopt(gst_element_get_static_pad(found.get(), pad));
    gst_pad_add_probe(
        at.get(), GST_PAD_PROBE_TYPE_BUFFER,
        [](GstPad*, GstPadProbeInfo* info, gpointer self) {
          auto* collector = static_cast<Collector*>(self);
          const std::lock_guard lock(collector->mutex_);
          collector->frames_.push_back(bytes_of(GST_PAD_PROBE_INFO_BUFFER(info)));
          return GST_PAD_PROBE_OK;
        },
        this, nullptr);
  }
  std::vector<Bytes> frames() {
    const std::lock_guard lock(mutex_);
    return frames_;
  }

 private:
  std::mutex mutex_;  // Protects the frames.
  std::vector<Bytes> frames_;
};

class Codecs : public E2eeTest, public testing::WithParamInterface<Way> {
 protected:
  struct Seen {
    std::vector<Bytes> plain, sealed, opened;
    guint64 failures = 0;
  };
  Seen run(const std::string& opening_key, const std::string& second = "") {
    const auto& way = GetParam();
    const auto extra = second.empty() ? "" : " second-key-file=" + second;
    const std::string line = std::string(way.encode) + " ! e2ee-encrypt name=seal key-file=" + key +
                             extra + " ! " + way.carry +
                             " ! e2ee-decrypt name=open key-file=" + opening_key + extra +
                             " ! fakesink name=end sync=false async=false";
    Seen seen;
    GError* error = nullptr;
    const auto pipeline = GstPtr<GstElement>::sink(gst_parse_launch(line.c_str(), &error));
    EXPECT_EQ(error, nullptr) << error->message << " in " << line;
    if (error != nullptr) return seen;
    Collector plain(pipeline.get(), "seal", "sink");
    Collector sealed(pipeline.get(), "seal", "src");
    Collector opened(pipeline.get(), "open", "src");
    gst_element_set_state(pipeline.get(), GST_STATE_PLAYING);
    const auto bus = GstPtr<GstBus>::adopt(gst_element_get_bus(pipeline.get()));
    const auto message = GstPtr<GstMessage>::adopt(gst_bus_timed_pop_filtered(
        bus.get(), kPatience, static_cast<GstMessageType>(GST_MESSAGE_EOS | GST_MESSAGE_ERROR)));
    EXPECT_TRUE(message);
    if (message && GST_MESSAGE_TYPE(message.get()) == GST_MESSAGE_ERROR) {
      g_autofree gchar* debug = nullptr;
      gst_message_parse_error(message.get(), &error, &debug);
      ADD_FAILURE() << error->message << " " << debug;
      g_clear_error(&error);
    }
    const auto open =
        GstPtr<GstElement>::adopt(gst_bin_get_by_name(GST_BIN(pipeline.get()), "open"));
    seen.failures = count(open.get(), "auth-failures") + count(open.get(), "malformed") +
                    count(open.get(), "dropped-without-key");
    gst_element_set_state(pipeline.get(), GST_STATE_NULL);
    seen.plain = plain.frames();
    seen.sealed = sealed.frames();
    seen.opened = opened.frames();
    return seen;
  }
};

TEST_P(Codecs, EveryFrameArrivesToTheByte) {
  const auto seen = run(key);
  EXPECT_GE(seen.plain.size(), static_cast<std::size_t>(GetParam().frames));
  EXPECT_EQ(seen.failures, 0U);
  ASSERT_EQ(seen.opened.size(), seen.plain.size());
  EXPECT_TRUE(seen.opened == seen.plain);
}

TEST_P(Codecs, TwoLayersToo) {
  const auto seen = run(key, new_key("second", sframe::Suite::kChaCha20Poly1305Sha512));
  EXPECT_EQ(seen.failures, 0U);
  ASSERT_EQ(seen.opened.size(), seen.plain.size());
  EXPECT_TRUE(seen.opened == seen.plain);
}

TEST_P(Codecs, AWrongKeyOpensNoFrame) {
  const auto seen = run(other);
  EXPECT_FALSE(seen.sealed.empty());
  EXPECT_GE(seen.failures, static_cast<guint64>(GetParam().frames));
  EXPECT_TRUE(seen.opened.empty());
}

const Way kWays[] = {
    {"vp8", "PICTURE vp8enc deadline=1 keyframe-max-dist=20", "rtpvp8pay mtu=1200 ! rtpvp8depay",
     90},
    {"vp8_picture_ids", "PICTURE vp8enc deadline=1 keyframe-max-dist=20",
     "rtpvp8pay mtu=600 picture-id-mode=15-bit ! rtpvp8depay", 90},
    {"vp9", "PICTURE vp9enc deadline=1 cpu-used=8 keyframe-max-dist=20",
     "rtpvp9pay mtu=1200 ! rtpvp9depay", 90},
    {"h264", "PICTURE x264enc tune=zerolatency speed-preset=ultrafast key-int-max=20",
     "rtph264pay mtu=1200 ! rtph264depay", 90},
    {"h264_as_whip_sends_it",
     "PICTURE x264enc speed-preset=ultrafast key-int-max=20 option-string=slices=4:aud=1",
     "rtph264pay mtu=1200 aggregate-mode=zero-latency config-interval=-1 ! rtph264depay", 90},
    {"h265", "PICTURE x265enc tune=zerolatency speed-preset=ultrafast key-int-max=20",
     "rtph265pay mtu=1200 ! rtph265depay", 90},
    {"h265_aggregated",
     "PICTURE x265enc speed-preset=ultrafast key-int-max=20 "
     "option-string=slices=4:aud=1",
     "rtph265pay mtu=1200 aggregate-mode=zero-latency config-interval=-1 ! rtph265depay", 90},
    {"opus", "SOUND opusenc", "rtpopuspay ! rtpopusdepay", 100},
    {"av1", "PICTURE av1enc cpu-used=8 usage-profile=realtime keyframe-max-dist=20 ! av1parse",
     "sotto-rtpav1pay mtu=1200 ! sotto-rtpav1depay", 90},
};

std::vector<Way> ways() {
  static std::vector<std::string> lines;  // Ways point into it.
  lines.reserve(std::size(kWays));
  std::vector<Way> out;
  for (auto way : kWays) {
    std::string line = way.encode;
    if (line.rfind("PICTURE ", 0) == 0) line.replace(0, 8, kPicture);
    if (line.rfind("SOUND ", 0) == 0) line.replace(0, 6, kSound);
    lines.push_back(line);
    way.encode = lines.back().c_str();
    out.push_back(way);
  }
  return out;
}

INSTANTIATE_TEST_SUITE_P(E2ee, Codecs, testing::ValuesIn(ways()),
                         [](const auto& test) { return std::string(test.param.name); });

}  // namespace
}  // namespace sotto
