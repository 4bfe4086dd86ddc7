// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "pipelines/camera/inspect.h"

#include "core/rtc/rtp/packet.h"
#include "core/rtc/rtp/sequence.h"

#include <algorithm>

namespace sotto::camera {
namespace {

using rtc::rtp::Format;

// Reads ue(v) of H.264, 9.1, from a NAL unit's payload. Slice headers begin with two small ones,
// in which no emulation prevention byte can occur.
class BitReader {
 public:
  explicit BitReader(ByteView bytes) : bytes_(bytes) {}
  unsigned exp_golomb() {
    unsigned zeros = 0;
    while (zeros < 32 && !bit()) {
      if (at_ >= bytes_.size() * 8) return 0;
      ++zeros;
    }
    unsigned value = 0;
    for (unsigned i = 0; i < zeros; ++i) value = value << 1U | static_cast<unsigned>(bit());
    return (1U << zeros) - 1 + value;
  }

 private:
  bool bit() {
    if (at_ >= bytes_.size() * 8) return false;
    const bool set = (bytes_[at_ / 8] >> (7 - at_ % 8) & 1U) != 0;
    ++at_;
    return set;
  }
  ByteView bytes_;
  std::size_t at_ = 0;
};

struct Sets {
  bool vps = false;
  bool sps = false;
  bool pps = false;
};

void look_at_h264(unsigned type, ByteView after_header, Sets& sets, FrameContent& content) {
  // H.264, table 7-1.
  constexpr unsigned kSlice = 1;
  constexpr unsigned kIdr = 5;
  constexpr unsigned kSps = 7;
  constexpr unsigned kPps = 8;
  if (type == kSps) sets.sps = true;
  if (type == kPps) sets.pps = true;
  if (type == kIdr) content.intra = true;
  if (type == kSlice) {
    BitReader bits(after_header);
    bits.exp_golomb();  // first_mb_in_slice
    constexpr unsigned kTypes = 5;
    constexpr unsigned kB = 1;
    if (bits.exp_golomb() % kTypes == kB) content.b_slice = true;
  }
}

void look_at_h265(unsigned type, Sets& sets, FrameContent& content) {
  // H.265, table 7-1: BLA_W_LP to RSV_IRAP_VCL23 are where decoding can start.
  if (type >= 16 && type <= 23) content.intra = true;
  if (type == 32) sets.vps = true;
  if (type == 33) sets.sps = true;
  if (type == 34) sets.pps = true;
}

// RFC 6184, 5.4 and RFC 7798, 4.4 share their shape: a unit by itself, several in one packet with
// 16-bit sizes, or a piece of one.
void look_at_payload(ByteView payload, Format format, Sets& sets, FrameContent& content) {
  const bool h264 = format == Format::kH264;
  const std::size_t header = h264 ? 1 : 2;
  if (payload.size() < header + 1) return;
  const auto type_of = [&](ByteView unit) {
    return h264 ? unit[0] & 0x1FU : unit[0] >> 1U & 0x3FU;
  };
  const auto look = [&](unsigned type, ByteView after_header) {
    if (h264) {
      look_at_h264(type, after_header, sets, content);
    } else {
      look_at_h265(type, sets, content);
    }
  };
  const unsigned type = type_of(payload);
  const unsigned several = h264 ? 24 : 48;
  const unsigned piece = h264 ? 28 : 49;
  if (type == several) {
    std::size_t at = header;
    while (at + 2 + header < payload.size()) {
      const std::size_t size = rtc::rtp::load_u16(&payload[at]);
      at += 2;
      if (size <= header || size > payload.size() - at) return;
      const ByteView unit = payload.subspan(at, size);
      look(type_of(unit), unit.subspan(header));
      at += size;
    }
  } else if (type == piece) {
    const std::uint8_t fragment = payload[header];
    const bool first = (fragment & 0x80U) != 0;
    if (first) look(fragment & (h264 ? 0x1FU : 0x3FU), payload.subspan(header + 1));
  } else {
    look(type, payload.subspan(header));
  }
}

}  // namespace

FrameContent look_into(const rtc::Frame& frame, Format format) {
  FrameContent content;
  Sets sets;
  const bool nal_units = format == Format::kH264 || format == Format::kH265;
  for (const ByteView packet : frame.packets) {
    content.largest_packet = std::max(content.largest_packet, packet.size());
    if (!nal_units) continue;
    if (const auto header = rtc::rtp::parse(packet)) {
      look_at_payload(rtc::rtp::payload_of(packet, *header), format, sets, content);
    }
  }
  content.parameter_sets = sets.sps && sets.pps && (format == Format::kH264 || sets.vps);
  if (!nal_units) content.intra = frame.keyframe;
  return content;
}

bool ReorderWatch::saw_reordering(std::uint32_t rtp_time, bool b_slice, unsigned clock_rate) {
  // In so many frames a stream with B-frames has stepped back many times.
  constexpr unsigned kWindow = 32;
  constexpr unsigned kStepsWithoutProof = 3;
  if (certain_) return true;
  b_slice_ = b_slice_ || b_slice;
  if (!started_) {
    started_ = true;
    newest_ = rtp_time;
    return false;
  }
  const auto step = rtc::rtp::distance(newest_, rtp_time);
  if (step > 0 || step < -static_cast<std::int64_t>(clock_rate)) {
    newest_ = rtp_time;
    if (++frames_ > kWindow) steps_back_ = 0;
    return false;
  }
  if (step == 0) return false;
  frames_ = 0;
  ++steps_back_;
  certain_ = b_slice_ || steps_back_ >= kStepsWithoutProof;
  return certain_;
}

}  // namespace sotto::camera
