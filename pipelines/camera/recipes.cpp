// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "pipelines/camera/recipes.h"

#include "pipelines/camera/inspect.h"

#include <array>

namespace sotto::camera {
namespace {

constexpr const char* kMtu = "mtu=1200";
static_assert(kMaxPacketBytes == 1200);

struct Format {
  std::string_view name;
  const char* depacketise;  // RTP to coded frames; "parse" knows their size.
  const char* packetise;    // And back; null where there is none.
  const char* decode;
};

// Decoders that are fed live use threads per slice, not per frame: no delay (gst-libav does so
// when the pipeline is live).
constexpr std::array kFormats{
    Format{"H264", "rtph264depay ! h264parse name=parse",
           "rtph264pay config-interval=-1 aggregate-mode=zero-latency", "avdec_h264 max-threads=2"},
    Format{"H265", "rtph265depay ! h265parse name=parse",
           "rtph265pay config-interval=-1 aggregate-mode=zero-latency", "avdec_h265 max-threads=2"},
    Format{"VP8", "rtpvp8depay name=parse", "rtpvp8pay picture-id-mode=15-bit", "vp8dec threads=2"},
    Format{"VP9", "rtpvp9depay name=parse", "rtpvp9pay picture-id-mode=15-bit", "vp9dec threads=2"},
    Format{"AV1", "sotto-rtpav1depay ! av1parse name=parse", "sotto-rtpav1pay", "av1dec"},
    Format{"JPEG", "rtpjpegdepay name=parse", nullptr, "jpegdec"},
    Format{"MPEG4-GENERIC", "rtpmp4gdepay ! aacparse", nullptr, "avdec_aac"},
    Format{"MP4A-LATM", "rtpmp4adepay ! aacparse", nullptr, "avdec_aac"},
    Format{"PCMU", "rtppcmudepay", nullptr, "mulawdec"},
    Format{"PCMA", "rtppcmadepay", nullptr, "alawdec"},
    Format{"G722", "rtpg722depay", nullptr, "avdec_g722"},
    Format{"L16", "rtpL16depay", nullptr, "audioconvert"},
    Format{"opus", "rtpopusdepay", nullptr, "opusdec plc=true"},
};

const Format* find(std::string_view name) {
  for (const Format& format : kFormats) {
    if (format.name == name) return &format;
  }
  return nullptr;
}

// The encoder's bitrate is set once the size of the picture is known (RtpConverter).
constexpr const char* kToH264 =
    "videoconvert ! video/x-raw,format=I420 ! "
    "x264enc name=encoder tune=zerolatency speed-preset=ultrafast threads=2 key-int-max=60 "
    "bframes=0 byte-stream=true ! video/x-h264,profile=constrained-baseline ! h264parse ! "
    "rtph264pay config-interval=-1 aggregate-mode=zero-latency";
constexpr const char* kToVp8 =
    "videoconvert ! video/x-raw,format=I420 ! "
    "vp8enc name=encoder deadline=1 cpu-used=8 threads=2 keyframe-max-dist=60 end-usage=cbr "
    "error-resilient=partitions lag-in-frames=0 buffer-size=500 buffer-initial-size=300 "
    "buffer-optimal-size=400 ! rtpvp8pay picture-id-mode=15-bit";
constexpr const char* kToOpus =
    "audioconvert ! audioresample ! audio/x-raw,rate=48000,channels=2 ! "
    "opusenc bitrate=64000 frame-size=20 inband-fec=true packet-loss-percentage=5 ! rtpopuspay";

}  // namespace

std::optional<Recipe> repacketise(const rtc::Codec& codec) {
  const Format* format = find(codec.name);
  if (format == nullptr || format->packetise == nullptr) return std::nullopt;
  return Recipe{std::string(format->depacketise) + " ! " + format->packetise + " " + kMtu, codec};
}

std::optional<Recipe> transcode(const rtc::Codec& from, std::string_view to) {
  const Format* format = find(from.name);
  if (format == nullptr) return std::nullopt;
  const std::string decode = std::string(format->depacketise) + " ! " + format->decode + " ! ";
  const bool video = from.kind == rtc::MediaKind::kVideo;
  if (video && to == "H264") {
    return Recipe{decode + kToH264 + " " + kMtu,
                  {rtc::MediaKind::kVideo, "H264", 96, 90000, 1,
                   "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f"}};
  }
  if (video && to == "VP8") {
    return Recipe{decode + kToVp8 + " " + kMtu, {rtc::MediaKind::kVideo, "VP8", 96, 90000, 1, {}}};
  }
  if (!video && to == "opus") {
    return Recipe{decode + kToOpus,
                  {rtc::MediaKind::kAudio, "opus", 97, 48000, 2, "minptime=10;useinbandfec=1"}};
  }
  return std::nullopt;
}

}  // namespace sotto::camera
