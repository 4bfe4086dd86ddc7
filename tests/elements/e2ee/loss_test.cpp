// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// Sealed streams over a line that loses, disorders and repeats 5 % of the packets, past a relay
// that plays 10 % of the frames again: nothing is accepted twice, nothing that was not sent, and
// pictures recover by keyframe request.
#include "tests/elements/e2ee/bad_line.h"
#include "tests/elements/e2ee/support.h"

#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

namespace sotto {
namespace {

constexpr unsigned kFrames = 300;
constexpr unsigned kCalm = 240;
constexpr GstClockTime kPatience = 120 * GST_SECOND;

struct Way {
  const char* name;
  const char* encode;
  const char* pay;
  const char* depay;
  const char* decode;
  bool answers;  // The encoder answers keyframe requests, and makes no keyframe else.
};

constexpr const char* kAsking = " request-keyframe=true wait-for-keyframe=true";
const Way kWays[] = {
    {"vp8", "vp8enc deadline=1 cpu-used=8 keyframe-max-dist=9999", "rtpvp8pay mtu=500",
     "rtpvp8depay", "vp8dec", true},
    {"vp9", "vp9enc deadline=1 cpu-used=8 keyframe-max-dist=9999", "rtpvp9pay mtu=500",
     "rtpvp9depay", "vp9dec", true},
    {"h264", "x264enc tune=zerolatency speed-preset=ultrafast key-int-max=9999",
     "rtph264pay mtu=500 aggregate-mode=zero-latency config-interval=-1", "rtph264depay",
     "avdec_h264", true},
    // av1enc of GStreamer 1.22 answers none.
    {"av1", "av1enc usage-profile=realtime cpu-used=8 keyframe-max-dist=15 ! av1parse",
     "sotto-rtpav1pay mtu=500", "sotto-rtpav1depay", "av1dec", false},
    {"opus", nullptr, "rtpopuspay", "rtpopusdepay", "opusdec", false},
};

GstPtr<GstElement> part(const GstPtr<GstElement>& bin, const char* name) {
  return GstPtr<GstElement>::adopt(gst_bin_get_by_name(GST_BIN(bin.get()), name));
}

GstPtr<GstPad> pad(const GstPtr<GstElement>& bin, const char* element, const char* name) {
  return GstPtr<GstPad>::adopt(gst_element_get_static_pad(part(bin, element).get(), name));
}

/// What passes a pad.
struct Tap {
  Tap(const GstPtr<GstElement>& bin, const char* element, const char* name) {
    gst_pad_add_probe(pad(bin, element, name).get(), GST_PAD_PROBE_TYPE_BUFFER, note, this,
                      nullptr);
  }
  static GstPadProbeReturn note(GstPad* /*pad*/, GstPadProbeInfo* info, gpointer data) {
    auto& self = *static_cast<Tap*>(data);
    auto* buffer = GST_PAD_PROBE_INFO_BUFFER(info);
    ++self.contents[bytes_of(buffer)];
    ++self.count;
    if (!GST_BUFFER_FLAG_IS_SET(buffer, GST_BUFFER_FLAG_DELTA_UNIT)) ++self.keyframes;
    return GST_PAD_PROBE_OK;
  }
  // Of the streaming thread until the end of the stream.
  std::map<Bytes, unsigned> contents;
  unsigned count = 0;
  unsigned keyframes = 0;
};

/// One codec's sender, line and receiver.
class Stream {
 public:
  Stream(const Way& way, const std::string& key)
      : way_(way),
        sender_(launch(source(way) + " ! e2ee-encrypt name=seal key-file=" + key + " ! " + way.pay +
                       " ! appsink name=out sync=false async=false")),
        receiver_(launch("appsrc name=in is-live=true format=time do-timestamp=true ! "
                         "rtpjitterbuffer latency=50 do-lost=true ! " +
                         std::string(way.depay) + (video() ? kAsking : "") +
                         " ! e2ee-decrypt name=open key-file=" + key + " ! " + way.decode +
                         " ! fakesink name=end sync=false async=false")),
        plain_(sender_, "seal", "sink"),
        arrived_(receiver_, "open", "sink"),
        opened_(receiver_, "open", "src"),
        shown_(receiver_, "end", "sink"),
        line_(pad(sender_, "seal", "src").get(), part(sender_, "out").get(),
              part(receiver_, "in").get(), kCalm) {}
  ~Stream() {
    gst_element_set_state(sender_.get(), GST_STATE_NULL);
    gst_element_set_state(receiver_.get(), GST_STATE_NULL);
  }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  void start() {
    gst_element_set_state(receiver_.get(), GST_STATE_PLAYING);
    gst_element_set_state(sender_.get(), GST_STATE_PLAYING);
  }
  void wait() {
    expect_end(sender_);
    expect_end(receiver_);
    const auto open = part(receiver_, "open");
    good_ = count(open.get(), "frames");
    replayed_ = count(open.get(), "replayed");
    forged_ = count(open.get(), "auth-failures") + count(open.get(), "malformed");
  }
  guint64 replays_refused() const { return replayed_; }
  /// In one line, for the report and for failures.
  std::string numbers() const {
    const auto& c = line_.counts();
    std::ostringstream out;
    out << way_.name << ": of " << c.packets << " packets " << c.lost << " lost, " << c.disordered
        << " in disorder, " << c.repeated << " twice; of " << plain_.count << " frames "
        << c.replayed << " played again; " << arrived_.count << " arrived, " << opened_.count
        << " opened (" << opened_.keyframes << " keyframes), " << replayed_
        << " refused as replays, " << shown_.count << " shown; " << c.requests
        << " keyframe requests";
    return out.str();
  }
  void check() const {
    const auto& c = line_.counts();
    EXPECT_GT(c.lost, c.packets / 80) << "the line was good: nothing was proved";
    EXPECT_GT(c.replayed, kCalm / 40);
    EXPECT_EQ(forged_, 0U) << "a loss is no forgery";
    EXPECT_EQ(good_ + replayed_, arrived_.count) << "whatever arrives is opened or a replay";
    EXPECT_EQ(good_, opened_.count);
    EXPECT_LE(replayed_, c.replayed) << "some are lost on the way, or not waited for";
    for (const auto& [frame, times] : opened_.contents) {
      const auto sent = plain_.contents.find(frame);
      ASSERT_NE(sent, plain_.contents.end()) << "a frame that nobody sent";
      EXPECT_LE(times, sent->second) << "accepted twice";
    }
    // All that came after the trouble, at least, but for what it takes to recover.
    EXPECT_GT(opened_.count, (kFrames - kCalm) * 3 / 4);
    EXPECT_GT(shown_.count, (kFrames - kCalm) * 3 / 4);
    if (!video()) return;
    EXPECT_GT(c.requests, 0U);
    EXPECT_GT(opened_.keyframes, 1U) << "it never recovered";
    if (!way_.answers) return;
    EXPECT_LE(plain_.keyframes, c.requests + 1) << "they came by request";
  }

 private:
  void expect_end(const GstPtr<GstElement>& pipeline) const {
    const auto bus = GstPtr<GstBus>::adopt(gst_element_get_bus(pipeline.get()));
    while (const auto message = GstPtr<GstMessage>::adopt(gst_bus_timed_pop_filtered(
               bus.get(), kPatience,
               static_cast<GstMessageType>(GST_MESSAGE_EOS | GST_MESSAGE_ERROR)))) {
      if (GST_MESSAGE_TYPE(message.get()) == GST_MESSAGE_EOS) return;
      // av1dec of 1.22 calls each picture that it cannot decode an error, and goes on.
      if (g_str_has_prefix(GST_MESSAGE_SRC_NAME(message.get()), "av1dec") != FALSE) continue;
      GError* error = nullptr;
      g_autofree gchar* debug = nullptr;
      gst_message_parse_error(message.get(), &error, &debug);
      ADD_FAILURE() << way_.name << ": " << error->message << " " << debug;
      g_clear_error(&error);
    }
    ADD_FAILURE() << way_.name << ": no end of the stream";
  }
  bool video() const { return way_.encode != nullptr; }
  static std::string source(const Way& way) {
    const auto frames = std::to_string(kFrames);
    if (way.encode == nullptr) {
      return "audiotestsrc is-live=true wave=pink-noise samplesperbuffer=960 num-buffers=" +
             frames + " ! audio/x-raw,rate=48000,channels=1 ! opusenc";
    }
    return "videotestsrc is-live=true pattern=ball num-buffers=" + frames +
           " ! video/x-raw,format=I420,width=160,height=120,framerate=60/1 ! " + way.encode;
  }
  static GstPtr<GstElement> launch(const std::string& line) {
    GError* error = nullptr;
    auto pipeline = GstPtr<GstElement>::sink(gst_parse_launch(line.c_str(), &error));
    EXPECT_EQ(error, nullptr) << error->message << " in " << line;
    g_clear_error(&error);
    return pipeline;
  }

  const Way& way_;
  GstPtr<GstElement> sender_;
  GstPtr<GstElement> receiver_;
  Tap plain_;
  Tap arrived_;
  Tap opened_;
  Tap shown_;
  BadLine line_;
  guint64 good_ = 0;
  guint64 replayed_ = 0;
  guint64 forged_ = 0;
};

using OverABadLine = E2eeTest;

TEST_F(OverABadLine, NothingIsAcceptedTwiceAndPicturesRecover) {
  std::vector<std::unique_ptr<Stream>> streams;
  for (const auto& way : kWays) streams.push_back(std::make_unique<Stream>(way, key));
  for (const auto& stream : streams) stream->start();
  guint64 refused = 0;
  for (std::size_t i = 0; i < streams.size(); ++i) {
    streams[i]->wait();
    const auto numbers = streams[i]->numbers();
    RecordProperty(kWays[i].name, numbers);
    SCOPED_TRACE(numbers);
    streams[i]->check();
    refused += streams[i]->replays_refused();
  }
  EXPECT_GT(refused, 20U);
}

}  // namespace
}  // namespace sotto
