// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "pipelines/recording/container.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace sotto::recording {
namespace {

// A moov at the front and a fragment each half second; at the end an ordinary index is written.
constexpr const char* kMp4 = "mp4mux fragment-duration=500 fragment-mode=first-moov-then-finalise";
constexpr const char* kToOpus =
    " ! audioconvert ! audioresample ! audio/x-raw,rate=48000 ! opusenc ! opusparse";
constexpr std::size_t kG711Samples = 160;  // 20 ms at 8 kHz; G.722 has as many bytes.

struct Chain {
  std::string_view codec;
  std::string_view chain;
};
// avc3 and hev1: a sender that changes its picture's size sends new parameter sets, which these
// carry in band, while a muxer takes no new caps.
constexpr std::array kChains{
    Chain{"VP8", "rtpvp8depay"},
    Chain{"VP9", "rtpvp9depay ! vp9parse"},
    Chain{"H264",
          "rtph264depay ! h264parse config-interval=-1 ! "
          "video/x-h264,stream-format=avc3,alignment=au"},
    Chain{"H265",
          "rtph265depay ! h265parse config-interval=-1 ! "
          "video/x-h265,stream-format=hev1,alignment=au"},
    Chain{"opus", "rtpopusdepay ! opusparse"},
    Chain{"PCMU", "rtppcmudepay ! mulawdec"},
    Chain{"PCMA", "rtppcmadepay ! alawdec"},
    Chain{"G722", "rtpg722depay ! avdec_g722"},
};

}  // namespace

Result<Container> container_for(const std::vector<rtc::Codec>& codecs) {
  const auto has = [&](std::string_view name) {
    return std::any_of(codecs.begin(), codecs.end(),
                       [&](const rtc::Codec& codec) { return codec.name == name; });
  };
  // VP9 as well: mp4mux 1.22.0 crashes on VP9 whose caps name no chroma-site.
  if (!has("VP8") && !has("VP9")) return Container{".mp4", kMp4};
  if (has("H264") || has("H265")) {
    return fail(ErrorCode::kUnsupported, "VP8 or VP9 and H.264 or H.265 do not go into one file");
  }
  return Container{".webm", "webmmux"};
}

Result<std::string> chain_for(const rtc::Codec& codec) {
  const auto found = std::find_if(kChains.begin(), kChains.end(),
                                  [&](const Chain& chain) { return chain.codec == codec.name; });
  if (found == kChains.end()) {
    return fail(ErrorCode::kUnsupported, codec.name + " cannot be recorded");
  }
  std::string chain(found->chain);
  if (codec.kind == rtc::MediaKind::kAudio && codec.name != "opus") chain += kToOpus;
  return chain;
}

Silence silence_of(const rtc::Codec& codec) {
  // RFC 6716, 3.1: CELT, full band, 20 ms, one channel; a frame without content.
  if (codec.name == "opus") return {{0xf8, 0xff, 0xfe}, 20};
  if (codec.name == "PCMU") return {std::vector<unsigned char>(kG711Samples, 0xff), 20};
  if (codec.name == "PCMA") return {std::vector<unsigned char>(kG711Samples, 0xd5), 20};
  // Both sub-bands' smallest step, over and over.
  if (codec.name == "G722") return {std::vector<unsigned char>(kG711Samples, 0xfa), 20};
  return {};
}

}  // namespace sotto::recording
