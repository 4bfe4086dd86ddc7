// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// RTP payloads become temporal units again (AOM, "RTP Payload Format For AV1" 1.0, section 4).
//
// Packets must come in order (a jitter buffer before us does that). A unit comes out whole or not
// at all: as a low-overhead stream, a temporal delimiter in front, each OBU with its size.
#pragma once

#include "core/rtc/av1/obu.h"

#include <cstddef>
#include <cstdint>

namespace sotto::rtc::av1 {

struct RtpPayload {
  std::uint16_t sequence = 0;
  std::uint32_t timestamp = 0;
  bool marker = false;
  ByteView bytes;
};

struct DepacketiserStats {
  std::uint64_t units = 0;
  std::uint64_t late_packets = 0;  ///< Repeated, and those that came after their turn.
  std::uint64_t malformed_packets = 0;
  std::uint64_t broken_units = 0;  ///< Dropped: something was missing, malformed or too much.
};

class Depacketiser {
 public:
  struct Unit {
    ByteView bytes;          ///< Until the next push(); empty while no unit is complete.
    bool keyframe = false;   ///< It begins a coded video sequence.
    bool after_gap = false;  ///< Something before it was lost.
  };
  explicit Depacketiser(std::size_t max_unit = kMaxUnitBytes) : max_unit_(max_unit) {}

  Unit push(const RtpPayload& packet);
  /// Forgets the unit in the making and which number comes next.
  void reset();
  /// True when what came last was lost, malformed or broke a unit; a good unit clears it.
  bool gap() const { return gap_; }
  const DepacketiserStats& stats() const { return stats_; }

 private:
  bool in_turn(std::uint16_t sequence);
  void begin(const RtpPayload& packet);
  bool take(ByteView payload);
  bool finish_obu(ByteView obu);
  void break_unit();

  const std::size_t max_unit_;
  DepacketiserStats stats_;
  Bytes unit_;
  Bytes part_;            // An OBU that is not at its end yet.
  bool started_ = false;  // next_ is known.
  bool follows_ = false;  // The packet before this one was seen.
  bool open_ = false;     // A unit is in the making, or was broken and has not ended.
  bool broken_ = false;
  bool partial_ = false;  // The last packet said that its last OBU goes on.
  bool keyframe_ = false;
  bool gap_ = false;
  std::uint16_t next_ = 0;
  std::uint32_t timestamp_ = 0;
};

}  // namespace sotto::rtc::av1
