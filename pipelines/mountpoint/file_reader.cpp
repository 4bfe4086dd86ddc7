// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "pipelines/mountpoint/file_reader.h"

#include "elements/glue/gst_ptr.h"
#include "pipelines/fanout/clock.h"
#include "pipelines/fanout/frame_tap.h"

#include <atomic>
#include <map>
#include <mutex>
#include <optional>

namespace sotto {
namespace {

constexpr std::chrono::seconds kProbeDeadline{10};
/// From the first pad to the first frame that leaves: demuxer and payloaders get ready meanwhile.
constexpr std::chrono::milliseconds kLead{100};
constexpr const char* kTail = " ! clocksync ! fakesink name=out sync=false async=false";

/// Named one by one: a decodebin inside a pipeline that only pauses never gets to decode AAC.
std::optional<std::string> audio_decoder(const GstStructure* structure) {
  const std::string name = gst_structure_get_name(structure);
  int version = 0;
  gst_structure_get_int(structure, "mpegversion", &version);
  if (name == "audio/mpeg") {
    return version == 1 ? "mpegaudioparse ! mpg123audiodec" : "aacparse ! avdec_aac";
  }
  if (name == "audio/x-vorbis") return "vorbisdec";
  if (name == "audio/x-flac") return "flacparse ! flacdec";
  if (name == "audio/x-alaw") return "alawdec";
  if (name == "audio/x-mulaw") return "mulawdec";
  if (name == "audio/x-raw") return "identity";
  return std::nullopt;
}

/// What to put between a parsed stream and its RTP; nothing for what we cannot send.
std::optional<std::string> chain_for(const GstCaps* caps) {
  const GstStructure* structure = gst_caps_get_structure(caps, 0);
  const std::string name = gst_structure_get_name(structure);
  // A payload of 1200 bytes fits every path; timestamp-offset 0 keeps times in line between plays.
  constexpr const char* kVideo = " pt=96 mtu=1200 timestamp-offset=0";
  if (name == "video/x-h264") {
    return std::string("h264parse ! rtph264pay config-interval=-1 aggregate-mode=zero-latency") +
           kVideo + kTail;
  }
  if (name == "video/x-h265") {
    return std::string("h265parse ! rtph265pay config-interval=-1 aggregate-mode=zero-latency") +
           kVideo + kTail;
  }
  if (name == "video/x-vp8") {
    return std::string("rtpvp8pay picture-id-mode=15-bit") + kVideo + kTail;
  }
  if (name == "video/x-vp9") {
    return std::string("rtpvp9pay picture-id-mode=15-bit") + kVideo + kTail;
  }
  if (name == "audio/x-opus") {
    return std::string("rtpopuspay pt=97 mtu=1200 timestamp-offset=0") + kTail;
  }
  if (const auto decoder = audio_decoder(structure)) {
    return *decoder +
           std::string(
               " ! audioconvert ! audioresample ! audio/x-raw,rate=48000 ! opusenc ! "
               "rtpopuspay pt=97 mtu=1200 timestamp-offset=0") +
           kTail;
  }
  return std::nullopt;
}

std::string text_field(const GstStructure* structure, const char* key) {
  const char* value = gst_structure_get_string(structure, key);
  return value == nullptr ? std::string() : std::string(value);
}

/// From the caps of a payloader.
rtc::Codec codec_of(const GstCaps* caps) {
  const GstStructure* rtp = gst_caps_get_structure(caps, 0);
  rtc::Codec codec;
  codec.name = text_field(rtp, "encoding-name");
  int value = 0;
  if (gst_structure_get_int(rtp, "payload", &value)) codec.payload_type = value;
  if (gst_structure_get_int(rtp, "clock-rate", &value)) {
    codec.clock_rate = static_cast<unsigned>(value);
  }
  if (codec.name == "OPUS") {
    codec.kind = rtc::MediaKind::kAudio;
    codec.name = "opus";
    codec.channels = 2;
    codec.fmtp = "minptime=10;useinbandfec=1";
    return codec;
  }
  codec.kind = rtc::MediaKind::kVideo;
  if (codec.name == "H264") {
    codec.fmtp = "level-asymmetry-allowed=1;packetization-mode=1";
    for (const char* key : {"profile-level-id", "sprop-parameter-sets"}) {
      const std::string text = text_field(rtp, key);
      if (!text.empty()) codec.fmtp += std::string(";") + key + "=" + text;
    }
  } else if (codec.name == "VP9") {
    codec.fmtp = "profile-id=0";
  }
  return codec;
}

}  // namespace

// Streaming threads hold it weakly through the probes' and signals' data; they tell the main
// context by posting, never by calling.
class FileReader::State : public std::enable_shared_from_this<State> {
 public:
  State(MainContext& loop, bool probing) : loop_(loop), probing_(probing) {}
  ~State() { stop(); }

  void start(const std::string& path);
  void stop();

  Found found;
  Receivers receivers;
  Ended ended;

 private:
  struct Hook {  // What a C callback gets: us, if we are still there.
    std::weak_ptr<State> state;
    rtc::MonotonicTime last_pts{-1};
  };
  static void drop_closure(gpointer hook, GClosure*) { delete static_cast<Hook*>(hook); }
  static void drop_hook(gpointer hook) { delete static_cast<Hook*>(hook); }

  static void on_pad(GstElement*, GstPad* pad, gpointer hook);
  static GstPadProbeReturn on_caps(GstPad* pad, GstPadProbeInfo* info, gpointer hook);
  static GstPadProbeReturn on_parsed(GstPad* pad, GstPadProbeInfo* info, gpointer hook);
  static gboolean on_bus(GstBus*, GstMessage* message, gpointer hook);

  void add_stream(GstPad* pad);
  void add_codec(GstPad* pad, const GstCaps* caps);
  void check_complete();
  void give_up();
  void finish(Result<> result);
  void post_finish(Error error);

  MainContext& loop_;
  const bool probing_;
  GstPtr<GstElement> pipeline_;
  GSource* bus_watch_ = nullptr;
  MainContext::Timer deadline_;
  bool finished_ = false;  // Main context only, like all above.

  std::mutex mutex_;  // Protects what follows: streaming threads fill it.
  std::map<rtc::MediaKind, bool> kinds_;
  std::vector<rtc::Codec> codecs_;
  std::vector<std::unique_ptr<FrameTap>> taps_;
  std::size_t streams_ = 0;
  std::string unsupported_;
  GstClockTime begin_ = GST_CLOCK_TIME_NONE;  // Running time of the file's beginning.
};

void FileReader::State::start(const std::string& path) {
  pipeline_ = GstPtr<GstElement>::sink(gst_pipeline_new("file"));
  use_monotonic_clock(GST_PIPELINE(pipeline_.get()));
  GstElement* source = gst_element_factory_make("filesrc", nullptr);
  GstElement* parser = gst_element_factory_make("parsebin", nullptr);
  if (source == nullptr || parser == nullptr) {
    if (source != nullptr) gst_object_unref(gst_object_ref_sink(source));
    if (parser != nullptr) gst_object_unref(gst_object_ref_sink(parser));
    post_finish({ErrorCode::kInternal, "filesrc or parsebin is missing"});
    return;
  }
  gst_bin_add_many(GST_BIN(pipeline_.get()), source, parser, nullptr);
  gst_element_link(source, parser);
  g_object_set(source, "location", path.c_str(), nullptr);
  g_signal_connect_data(parser, "pad-added", G_CALLBACK(on_pad), new Hook{weak_from_this()},
                        drop_closure, GConnectFlags(0));
  const auto bus = GstPtr<GstBus>::adopt(gst_element_get_bus(pipeline_.get()));
  bus_watch_ = gst_bus_create_watch(bus.get());
  g_source_set_callback(bus_watch_, G_SOURCE_FUNC(on_bus), new Hook{weak_from_this()}, drop_hook);
  g_source_attach(bus_watch_, loop_.raw());
  if (probing_) {
    deadline_ = loop_.after(kProbeDeadline, [this] { give_up(); });
  }
  const auto state = probing_ ? GST_STATE_PAUSED : GST_STATE_PLAYING;
  if (gst_element_set_state(pipeline_.get(), state) == GST_STATE_CHANGE_FAILURE) {
    post_finish({ErrorCode::kIo, "The file cannot be read"});
  }
}

void FileReader::State::stop() {
  deadline_.cancel();
  if (bus_watch_ != nullptr) {
    g_source_destroy(bus_watch_);
    g_source_unref(bus_watch_);
    bus_watch_ = nullptr;
  }
  if (!pipeline_) return;
  std::vector<std::unique_ptr<FrameTap>> taps;
  {
    const std::lock_guard lock(mutex_);
    taps.swap(taps_);
  }
  for (const auto& tap : taps) tap->close();
  gst_element_set_state(pipeline_.get(), GST_STATE_NULL);
  const auto bus = GstPtr<GstBus>::adopt(gst_element_get_bus(pipeline_.get()));
  gst_bus_set_flushing(bus.get(), TRUE);
  pipeline_.reset();
}

void FileReader::State::on_pad(GstElement*, GstPad* pad, gpointer hook) {
  if (const auto self = static_cast<Hook*>(hook)->state.lock()) self->add_stream(pad);
}

void FileReader::State::add_stream(GstPad* pad) {
  auto caps = GstPtr<GstCaps>::adopt(gst_pad_get_current_caps(pad));
  if (!caps) caps = GstPtr<GstCaps>::adopt(gst_pad_query_caps(pad, nullptr));
  if (!caps || gst_caps_is_empty(caps.get()) || gst_caps_is_any(caps.get())) return;
  const std::string name = gst_structure_get_name(gst_caps_get_structure(caps.get(), 0));
  const bool video = name.rfind("video/", 0) == 0;
  if (!video && name.rfind("audio/", 0) != 0) return;  // Subtitles and the like.
  const auto chain = chain_for(caps.get());
  GstClockTime begin = 0;
  {
    const std::lock_guard lock(mutex_);
    if (!chain) {
      unsupported_ = name;
      return;
    }
    bool& taken = kinds_[video ? rtc::MediaKind::kVideo : rtc::MediaKind::kAudio];
    if (std::exchange(taken, true)) return;
    ++streams_;
    if (begin_ == GST_CLOCK_TIME_NONE) {
      begin_ = static_cast<GstClockTime>(
          (rtc::monotonic_now() + std::chrono::nanoseconds(kLead)).count());
    }
    begin = begin_;
  }
  g_autoptr(GError) error = nullptr;
  // The queue: one demuxer feeds both streams, and one that waits for its time must not stop the
  // other.
  GstElement* bin = gst_parse_bin_from_description(("queue ! " + *chain).c_str(), TRUE, &error);
  if (error != nullptr || bin == nullptr) {
    if (bin != nullptr) gst_object_unref(gst_object_ref_sink(bin));
    post_finish({ErrorCode::kInternal, error == nullptr ? "no chain" : error->message});
    return;
  }
  gst_bin_add(GST_BIN(pipeline_.get()), bin);
  const auto out = GstPtr<GstElement>::adopt(gst_bin_get_by_name(GST_BIN(bin), "out"));
  const auto out_pad = GstPtr<GstPad>::adopt(gst_element_get_static_pad(out.get(), "sink"));
  gst_pad_add_probe(out_pad.get(), GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM, on_caps,
                    new Hook{weak_from_this()}, drop_hook);
  const auto in_pad = GstPtr<GstPad>::adopt(gst_element_get_static_pad(bin, "sink"));
  if (video) {
    gst_pad_add_probe(in_pad.get(), GST_PAD_PROBE_TYPE_BUFFER, on_parsed,
                      new Hook{weak_from_this()}, drop_hook);
  }
  // The file's zero is now, on the clock all pipelines share.
  gst_pad_set_offset(pad, static_cast<gint64>(begin));
  gst_element_sync_state_with_parent(bin);
  gst_pad_link(pad, in_pad.get());
}

GstPadProbeReturn FileReader::State::on_parsed(GstPad*, GstPadProbeInfo* info, gpointer data) {
  auto* hook = static_cast<Hook*>(data);
  const GstBuffer* buffer = GST_PAD_PROBE_INFO_BUFFER(info);
  if (!GST_BUFFER_PTS_IS_VALID(buffer)) return GST_PAD_PROBE_OK;
  const rtc::MonotonicTime pts(static_cast<std::int64_t>(GST_BUFFER_PTS(buffer)));
  if (pts < hook->last_pts) {
    if (const auto self = hook->state.lock()) {
      self->post_finish({ErrorCode::kUnsupported,
                         "The file's video has B-frames, which browsers do not play in real time: "
                         "encode it without (x264: bframes=0)"});
    }
    return GST_PAD_PROBE_REMOVE;
  }
  hook->last_pts = pts;
  return GST_PAD_PROBE_OK;
}

GstPadProbeReturn FileReader::State::on_caps(GstPad* pad, GstPadProbeInfo* info, gpointer hook) {
  const auto self = static_cast<Hook*>(hook)->state.lock();
  if (self == nullptr) return GST_PAD_PROBE_REMOVE;
  GstEvent* event = GST_PAD_PROBE_INFO_EVENT(info);
  if (GST_EVENT_TYPE(event) != GST_EVENT_CAPS) return GST_PAD_PROBE_OK;
  GstCaps* caps = nullptr;
  gst_event_parse_caps(event, &caps);
  self->add_codec(pad, caps);
  return GST_PAD_PROBE_REMOVE;
}

/// Caps come before the first buffer: the tap misses nothing.
void FileReader::State::add_codec(GstPad* pad, const GstCaps* caps) {
  const rtc::Codec codec = codec_of(caps);
  if (!probing_) {
    auto receiver = receivers(codec);
    if (receiver == nullptr) return;
    auto tap = std::make_unique<FrameTap>(codec, std::move(receiver));
    tap->probe(pad);
    const std::lock_guard lock(mutex_);
    taps_.push_back(std::move(tap));
    return;
  }
  {
    const std::lock_guard lock(mutex_);
    codecs_.push_back(codec);
  }
  check_complete();
}

// parsebin makes all its pads before it lets data, and so caps, through any of them.
void FileReader::State::check_complete() {
  {
    const std::lock_guard lock(mutex_);
    if (codecs_.size() < streams_) return;
  }
  loop_.post([weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->finish({});
  });
}

void FileReader::State::give_up() {
  std::string unsupported;
  {
    const std::lock_guard lock(mutex_);
    if (streams_ == 0) unsupported = unsupported_;
  }
  if (unsupported.empty()) {
    finish(fail(ErrorCode::kTimeout, "The file's streams were not found in time"));
  } else {
    finish(
        fail(ErrorCode::kUnsupported, "The file holds " + unsupported + ", which we cannot send"));
  }
}

gboolean FileReader::State::on_bus(GstBus*, GstMessage* message, gpointer hook) {
  const auto self = static_cast<Hook*>(hook)->state.lock();
  if (self == nullptr) return G_SOURCE_REMOVE;
  if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_EOS) {
    self->finish(self->probing_ ? Result<>(fail(ErrorCode::kUnsupported, "The file is empty"))
                                : Result<>());
  } else if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_ERROR) {
    g_autoptr(GError) error = nullptr;
    gst_message_parse_error(message, &error, nullptr);
    self->finish(fail(ErrorCode::kIo, error->message));
  }
  return G_SOURCE_CONTINUE;
}

void FileReader::State::post_finish(Error error) {
  loop_.post([weak = weak_from_this(), error = std::move(error)] {
    if (const auto self = weak.lock()) self->finish(tl::unexpected<Error>(error));
  });
}

void FileReader::State::finish(Result<> result) {
  if (std::exchange(finished_, true)) return;
  const auto self = shared_from_this();  // The callback may destroy the reader.
  if (!probing_) {
    ended(std::move(result));
    return;
  }
  if (!result) {
    found(tl::unexpected<Error>(result.error()));
    return;
  }
  std::vector<rtc::Codec> codecs;
  {
    const std::lock_guard lock(mutex_);
    codecs = codecs_;
  }
  found(std::move(codecs));
}

std::unique_ptr<FileReader> FileReader::probe(MainContext& loop, const std::string& path,
                                              Found found) {
  auto state = std::make_shared<State>(loop, true);
  state->found = std::move(found);
  state->start(path);
  return std::unique_ptr<FileReader>(new FileReader(std::move(state)));
}

std::unique_ptr<FileReader> FileReader::play(MainContext& loop, const std::string& path,
                                             Receivers receivers, Ended ended) {
  auto state = std::make_shared<State>(loop, false);
  state->receivers = std::move(receivers);
  state->ended = std::move(ended);
  state->start(path);
  return std::unique_ptr<FileReader>(new FileReader(std::move(state)));
}

FileReader::~FileReader() { state_->stop(); }

}  // namespace sotto
