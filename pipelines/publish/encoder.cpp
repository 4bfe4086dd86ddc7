// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "pipelines/publish/encoder.h"

#include "elements/glue/gst_ptr.h"

#include <algorithm>
#include <iterator>

namespace sotto {
namespace {

using Words = std::vector<std::string>;

constexpr unsigned kKeyframeSeconds = 2;
/// Any path carries it with SRTP, UDP and IPv6 headers around.
constexpr unsigned kRtpMtu = 1200;

std::string number(unsigned value) { return std::to_string(value); }

Words operator+(Words a, const Words& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

/// Constrained baseline is what every browser with H.264 decodes.
Words h264_payloader() {
  return {"!",
          "video/x-h264,profile=constrained-baseline",
          "!",
          "h264parse",
          "config-interval=-1",
          "!",
          "rtph264pay",
          "pt=102",
          "mtu=" + number(kRtpMtu),
          "config-interval=-1",
          "aggregate-mode=zero-latency"};
}

Words v4l2h264(const PublishOptions& o) {
  // The driver's controls; repeat_sequence_header lets a viewer start at any keyframe.
  return Words{"v4l2h264enc",
               "extra-controls=controls,repeat_sequence_header=1,video_bitrate_mode=1,h264_i_frame_"
               "period=" +
                   number(o.fps * kKeyframeSeconds) + ",video_bitrate=" + number(o.kilobits * 1000),
               "!", "video/x-h264,level=(string)4"} +
         h264_payloader();
}

Words x264(const PublishOptions& o) {
  return Words{"x264enc",
               "tune=zerolatency",
               "speed-preset=superfast",
               "bitrate=" + number(o.kilobits),
               "vbv-buf-capacity=300",
               "key-int-max=" + number(o.fps * kKeyframeSeconds),
               "bframes=0",
               "rc-lookahead=0",
               "sync-lookahead=0"} +
         h264_payloader();
}

Words openh264(const PublishOptions& o) {
  return Words{"openh264enc",
               "usage-type=camera",
               "complexity=low",
               "rate-control=bitrate",
               "bitrate=" + number(o.kilobits * 1000),
               "gop-size=" + number(o.fps * kKeyframeSeconds)} +
         h264_payloader();
}

Words vp8(const PublishOptions& o) {
  return {"vp8enc",
          "deadline=1",
          "cpu-used=8",
          "end-usage=cbr",
          "target-bitrate=" + number(o.kilobits * 1000),
          "keyframe-max-dist=" + number(o.fps * kKeyframeSeconds),
          "lag-in-frames=0",
          "error-resilient=partitions",
          "buffer-size=600",
          "buffer-optimal-size=300",
          "buffer-initial-size=200",
          "threads=2",
          "token-partitions=2",
          "!",
          "rtpvp8pay",
          "pt=96",
          "mtu=" + number(kRtpMtu),
          "picture-id-mode=15-bit"};
}

struct Candidate {
  std::string_view factory;
  bool hardware;
  PublishCodec codec;
  Words (*words)(const PublishOptions&);
  std::string_view package;  ///< Empty: comes with hardware.
};

constexpr Candidate kCandidates[] = {
    {"v4l2h264enc", true, PublishCodec::kH264, v4l2h264, ""},
    {"x264enc", false, PublishCodec::kH264, x264, "gstreamer1.0-plugins-ugly"},
    {"openh264enc", false, PublishCodec::kH264, openh264, "gstreamer1.0-plugins-bad"},
    {"vp8enc", false, PublishCodec::kVp8, vp8, "gstreamer1.0-plugins-good"},
};

EncoderChoice choice_of(const Candidate& candidate, const PublishOptions& options) {
  return {std::string(candidate.factory), candidate.hardware,
          candidate.codec == PublishCodec::kH264 ? "H264" : "VP8", candidate.words(options)};
}

}  // namespace

HasElement elements_of_this_machine() {
  return [](std::string_view factory) {
    const auto found =
        GstPtr<GstElementFactory>::adopt(gst_element_factory_find(std::string(factory).c_str()));
    return static_cast<bool>(found);
  };
}

Result<EncoderChoice> choose_encoder(const PublishOptions& options, const HasElement& has) {
  const auto fits = [&](const Candidate& c) {
    return options.codec == PublishCodec::kAuto || options.codec == c.codec;
  };
  if (!options.encoder.empty()) {
    const auto named =
        std::find_if(std::begin(kCandidates), std::end(kCandidates),
                     [&](const Candidate& c) { return c.factory == options.encoder; });
    if (named == std::end(kCandidates)) {
      return fail(ErrorCode::kUnsupported,
                  "no settings are known for " + options.encoder +
                      "; known are v4l2h264enc, x264enc, openh264enc, vp8enc");
    }
    if (!fits(*named)) {
      return fail(ErrorCode::kInvalid, options.encoder + " does not make the codec asked for");
    }
    if (!has(named->factory)) {
      return fail(ErrorCode::kUnsupported,
                  options.encoder + " is not on this machine; " +
                      (named->package.empty() ? "it comes with a Raspberry Pi 4's driver"
                                              : "install " + std::string(named->package)));
    }
    return choice_of(*named, options);
  }
  const auto found = std::find_if(std::begin(kCandidates), std::end(kCandidates),
                                  [&](const Candidate& c) { return fits(c) && has(c.factory); });
  if (found != std::end(kCandidates)) return choice_of(*found, options);
  return fail(ErrorCode::kUnsupported,
              options.codec == PublishCodec::kVp8
                  ? "there is no VP8 encoder; install gstreamer1.0-plugins-good"
                  : "there is no encoder; install gstreamer1.0-plugins-ugly");
}

}  // namespace sotto
