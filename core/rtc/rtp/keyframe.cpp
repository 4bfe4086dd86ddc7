// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/rtc/rtp/keyframe.h"

#include "core/rtc/rtp/packet.h"

#include <cstddef>

namespace sotto::rtc::rtp {
namespace {

// RFC 7741, 4.2: X R N S R PID, then I L T K if X, then picture id, TL0PICIDX, TID/KEYIDX.
PayloadInfo inspect_vp8(ByteView p) {
  PayloadInfo info;
  if (p.empty()) return info;
  const bool start = (p[0] & 0x10U) != 0 && (p[0] & 0x07U) == 0;
  std::size_t at = 1;
  if ((p[0] & 0x80U) != 0) {
    if (p.size() < 2) return info;
    const std::uint8_t flags = p[1];
    at = 2;
    if ((flags & 0x80U) != 0) {
      if (at >= p.size()) return info;
      at += (p[at] & 0x80U) != 0 ? 2 : 1;  // 15 or 7 bits of picture id.
    }
    if ((flags & 0x40U) != 0) ++at;
    if ((flags & 0x30U) != 0) {
      if (at >= p.size()) return info;
      if ((flags & 0x20U) != 0) info.temporal_layer = static_cast<std::uint8_t>(p[at] >> 6U);
      ++at;
    }
  }
  // The payload header's P bit is the inverse of VP8's key_frame (4.3).
  info.keyframe = start && at < p.size() && (p[at] & 0x01U) == 0;
  return info;
}

// RFC 9628, 4.2: I P L F B E V Z, picture id if I, layer indices if L.
PayloadInfo inspect_vp9(ByteView p) {
  PayloadInfo info;
  if (p.empty()) return info;
  const std::uint8_t flags = p[0];
  const bool predicted = (flags & 0x40U) != 0;
  const bool start = (flags & 0x08U) != 0;
  std::size_t at = 1;
  if ((flags & 0x80U) != 0) {
    if (at >= p.size()) return info;
    at += (p[at] & 0x80U) != 0 ? 2 : 1;
  }
  if ((flags & 0x20U) != 0) {
    if (at >= p.size()) return info;
    info.temporal_layer = static_cast<std::uint8_t>(p[at] >> 5U);
    info.spatial_layer = static_cast<std::uint8_t>((p[at] >> 1U) & 0x07U);
  }
  info.keyframe = start && !predicted && info.spatial_layer == 0 && p.size() > at;
  return info;
}

bool starts_h264(std::uint8_t nal_type) { return nal_type == 5 || nal_type == 7; }

PayloadInfo inspect_h264(ByteView p) {
  PayloadInfo info;
  if (p.empty()) return info;
  const std::uint8_t type = p[0] & 0x1FU;
  if (type >= 1 && type <= 23) {
    info.keyframe = starts_h264(type);
  } else if (type == 24 || type == 25) {  // STAP-A, STAP-B: a 16-bit size before each NAL.
    for (std::size_t at = type == 24 ? 1 : 3; at + 2 < p.size();) {
      const std::size_t size = load_u16(&p[at]);
      at += 2;
      if (size == 0 || size > p.size() - at) break;
      info.keyframe = info.keyframe || starts_h264(p[at] & 0x1FU);
      at += size;
    }
  } else if (type == 28 || type == 29) {  // FU-A, FU-B.
    info.keyframe = p.size() >= 2 && (p[1] & 0x80U) != 0 && starts_h264(p[1] & 0x1FU);
  }
  return info;
}

// IRAP pictures (BLA, IDR, CRA) and the parameter sets before them (VPS, SPS).
bool starts_h265(std::uint8_t nal_type) {
  return (nal_type >= 16 && nal_type <= 21) || nal_type == 32 || nal_type == 33;
}

PayloadInfo inspect_h265(ByteView p) {
  PayloadInfo info;
  if (p.size() < 3) return info;
  const std::uint8_t type = (p[0] >> 1U) & 0x3FU;
  const unsigned tid = p[1] & 0x07U;
  info.temporal_layer = static_cast<std::uint8_t>(tid == 0 ? 0 : tid - 1);
  if (type < 48) {
    info.keyframe = starts_h265(type);
  } else if (type == 48) {  // Aggregation packet; sprop-max-don-diff is 0 in WebRTC: no DONL.
    for (std::size_t at = 2; at + 2 < p.size();) {
      const std::size_t size = load_u16(&p[at]);
      at += 2;
      if (size == 0 || size > p.size() - at) break;
      info.keyframe = info.keyframe || starts_h265((p[at] >> 1U) & 0x3FU);
      at += size;
    }
  } else if (type == 49) {  // Fragmentation unit.
    info.keyframe = (p[2] & 0x80U) != 0 && starts_h265(p[2] & 0x3FU);
  }
  return info;
}

// The aggregation header Z Y W W N: N says "first packet of a coded video sequence". Senders that
// leave it out are caught by the sequence header OBU that such a packet begins with.
PayloadInfo inspect_av1(ByteView p) {
  PayloadInfo info;
  if (p.size() < 2) return info;
  const bool continued = (p[0] & 0x80U) != 0;
  const unsigned count = (p[0] >> 4U) & 0x03U;
  const bool new_sequence = (p[0] & 0x08U) != 0;
  if (continued) return info;  // Its first OBU began in an earlier packet.
  std::size_t at = 1;
  if (count != 1) {  // A length in LEB128 goes before each OBU but, if counted, the last.
    for (int bytes = 0; at < p.size() && bytes < 8; ++bytes) {
      if ((p[at++] & 0x80U) == 0) break;
    }
    if (at >= p.size()) return info;
  }
  const unsigned obu = (p[at] >> 3U) & 0x0FU;
  constexpr unsigned kSequenceHeader = 1;
  info.keyframe = new_sequence || obu == kSequenceHeader;
  if ((p[at] & 0x04U) != 0 && at + 1 < p.size()) {  // obu_extension_flag
    info.temporal_layer = static_cast<std::uint8_t>(p[at + 1] >> 5U);
    info.spatial_layer = static_cast<std::uint8_t>((p[at + 1] >> 3U) & 0x03U);
  }
  return info;
}

}  // namespace

Format video_format(std::string_view codec_name) {
  if (codec_name == "VP8") return Format::kVp8;
  if (codec_name == "VP9") return Format::kVp9;
  if (codec_name == "H264") return Format::kH264;
  if (codec_name == "H265") return Format::kH265;
  if (codec_name == "AV1") return Format::kAv1;
  return Format::kOpaque;
}

PayloadInfo inspect(Format format, ByteView payload) {
  switch (format) {
    case Format::kOpaque:
    case Format::kAudio: return {true, 0, 0};
    case Format::kVp8: return inspect_vp8(payload);
    case Format::kVp9: return inspect_vp9(payload);
    case Format::kH264: return inspect_h264(payload);
    case Format::kH265: return inspect_h265(payload);
    case Format::kAv1: return inspect_av1(payload);
  }
  return {};
}

}  // namespace sotto::rtc::rtp
