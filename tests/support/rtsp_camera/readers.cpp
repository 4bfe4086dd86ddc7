// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tests/support/rtsp_camera/readers.h"

#include <gst/app/gstappsink.h>
#include <gst/app/gstappsrc.h>
#include <gst/video/video.h>

#include <string>

namespace sotto::test {
namespace {

constexpr int kRate = 48000;
// Encoders and decoders begin with some silence.
constexpr std::size_t kSkipped = kRate / 4;

std::string decoder(const rtc::Codec& codec) {
  const std::string& name = codec.name;
  if (name == "H264") return "rtph264depay ! h264parse ! avdec_h264";
  if (name == "H265") return "rtph265depay ! h265parse ! avdec_h265";
  if (name == "VP8") return "rtpvp8depay ! vp8dec";
  if (name == "VP9") return "rtpvp9depay ! vp9dec";
  if (name == "AV1") return "sotto-rtpav1depay ! av1dec";
  if (name == "opus") return "rtpopusdepay ! opusdec";
  if (name == "PCMU") return "rtppcmudepay ! mulawdec";
  if (name == "PCMA") return "rtppcmadepay ! alawdec";
  if (name == "G722") return "rtpg722depay ! avdec_g722";
  return "identity";
}

std::string upper(std::string text) {
  for (char& c : text) c = g_ascii_toupper(c);
  return text;
}

}  // namespace

struct Reader::State {
  GstPtr<GstElement> pipeline;
  GstPtr<GstElement> appsrc;
  std::function<void()> changed;
  bool video = false;

  mutable std::mutex mutex;  // Protects what follows.
  std::vector<PictureMark> marks;
  std::size_t pictures = 0;
  int width = 0;
  std::size_t skipped = 0;
  std::size_t samples = 0;
  std::size_t crossings = 0;
  int sign = 0;
  std::string error;

  void see(GstSample* sample) {
    GstVideoInfo info;
    if (gst_video_info_from_caps(&info, gst_sample_get_caps(sample)) == FALSE) return;
    GstVideoFrame frame;
    if (gst_video_frame_map(&frame, &info, gst_sample_get_buffer(sample), GST_MAP_READ) == FALSE) {
      return;
    }
    const auto stride = static_cast<unsigned>(GST_VIDEO_FRAME_PLANE_STRIDE(&frame, 0));
    const auto w = static_cast<unsigned>(info.width);
    const auto h = static_cast<unsigned>(info.height);
    const auto* luma = static_cast<const std::uint8_t*>(GST_VIDEO_FRAME_PLANE_DATA(&frame, 0));
    const auto mark = read_picture({luma, std::size_t{stride} * h}, stride, w, h);
    gst_video_frame_unmap(&frame);
    const std::lock_guard lock(mutex);
    ++pictures;
    width = info.width;
    if (mark) marks.push_back(*mark);
  }

  void hear(GstSample* sample) {
    GstMapInfo map;
    gst_buffer_map(gst_sample_get_buffer(sample), &map, GST_MAP_READ);
    const auto* values = reinterpret_cast<const std::int16_t*>(map.data);
    const std::size_t count = map.size / sizeof(std::int16_t);
    {
      const std::lock_guard lock(mutex);
      for (std::size_t i = 0; i < count; ++i) {
        if (skipped < kSkipped) {
          ++skipped;
          continue;
        }
        ++samples;
        // Hysteresis: codecs add a little noise around zero.
        constexpr int kQuiet = 500;
        const int now = values[i] > kQuiet ? 1 : values[i] < -kQuiet ? -1 : sign;
        if (now != sign && sign != 0) ++crossings;
        sign = now;
      }
    }
    gst_buffer_unmap(gst_sample_get_buffer(sample), &map);
  }

  static GstFlowReturn on_sample(GstAppSink* sink, gpointer data) {
    auto* state = static_cast<State*>(data);
    auto sample = GstPtr<GstSample>::adopt(gst_app_sink_pull_sample(sink));
    if (!sample) return GST_FLOW_EOS;
    if (state->video) {
      state->see(sample.get());
    } else {
      state->hear(sample.get());
    }
    if (state->changed) state->changed();
    return GST_FLOW_OK;
  }
  static GstBusSyncReply on_message(GstBus* /*bus*/, GstMessage* message, gpointer data) {
    if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_ERROR) {
      GError* failure = nullptr;
      gst_message_parse_error(message, &failure, nullptr);
      auto* state = static_cast<State*>(data);
      const std::lock_guard lock(state->mutex);
      state->error = failure->message;
      g_error_free(failure);
    }
    gst_message_unref(message);
    return GST_BUS_DROP;
  }
};

Reader::Reader(const rtc::Codec& codec, std::function<void()> changed)
    : state_(std::make_shared<State>()) {
  state_->changed = std::move(changed);
  state_->video = codec.kind == rtc::MediaKind::kVideo;
  const std::string line =
      "appsrc name=in is-live=true format=time do-timestamp=true caps=\"application/x-rtp,media=" +
      std::string(rtc::name_of(codec.kind)) + ",clock-rate=" + std::to_string(codec.clock_rate) +
      ",encoding-name=" + upper(codec.name) +
      // Without a number rtpopusdepay of GStreamer 1.22 does not negotiate.
      ",payload=97"
      "\" ! " +
      decoder(codec) + " ! " +
      (state_->video ? "videoconvert ! video/x-raw,format=I420"
                     : "audioconvert ! audioresample ! audio/x-raw,format=S16LE,channels=1,rate=" +
                           std::to_string(kRate)) +
      " ! appsink name=out sync=false max-buffers=0";
  state_->pipeline = GstPtr<GstElement>::sink(gst_parse_launch(line.c_str(), nullptr));
  auto* bin = GST_BIN(state_->pipeline.get());
  state_->appsrc = GstPtr<GstElement>::adopt(gst_bin_get_by_name(bin, "in"));
  auto sink = GstPtr<GstElement>::adopt(gst_bin_get_by_name(bin, "out"));
  GstAppSinkCallbacks callbacks{};
  callbacks.new_sample = State::on_sample;
  gst_app_sink_set_callbacks(GST_APP_SINK(sink.get()), &callbacks, state_.get(), nullptr);
  auto bus = GstPtr<GstBus>::adopt(gst_element_get_bus(state_->pipeline.get()));
  gst_bus_set_sync_handler(bus.get(), State::on_message, state_.get(), nullptr);
  gst_element_set_state(state_->pipeline.get(), GST_STATE_PLAYING);
}

Reader::~Reader() { gst_element_set_state(state_->pipeline.get(), GST_STATE_NULL); }

void Reader::take(ByteView packet) {
  gst_app_src_push_buffer(GST_APP_SRC(state_->appsrc.get()),
                          gst_buffer_new_memdup(packet.data(), packet.size()));
}

std::vector<PictureMark> Reader::marks() const {
  const std::lock_guard lock(state_->mutex);
  return state_->marks;
}
std::size_t Reader::unreadable() const {
  const std::lock_guard lock(state_->mutex);
  return state_->pictures - state_->marks.size();
}
std::size_t Reader::pictures() const {
  const std::lock_guard lock(state_->mutex);
  return state_->pictures;
}
int Reader::width() const {
  const std::lock_guard lock(state_->mutex);
  return state_->width;
}
double Reader::pitch() const {
  const std::lock_guard lock(state_->mutex);
  if (state_->samples < kRate / 2) return 0;
  return static_cast<double>(state_->crossings) * kRate / 2 / static_cast<double>(state_->samples);
}
std::string Reader::error() const {
  const std::lock_guard lock(state_->mutex);
  return state_->error;
}

}  // namespace sotto::test
