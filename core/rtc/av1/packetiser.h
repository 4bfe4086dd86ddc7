// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// A temporal unit becomes RTP payloads (AOM, "RTP Payload Format For AV1" 1.0, section 4).
//
//   aggregation header  Z Y W W N - - -     Z, Y: the first, the last OBU is a part of one
//   [size] OBU … [size] OBU OBU             W: how many, the last then without a size
//
// OBUs travel without their own size field; temporal delimiters and tile lists do not travel.
// Within one layer a packet never ends where an OBU ends but the layer's last (unless that OBU is
// one byte): libwebrtc takes Z and Y for "a frame begins, ends here" and would cut the frame in
// two.
#pragma once

#include "core/rtc/av1/obu.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace sotto::rtc::av1 {

/// The least that a payload can be bounded to.
inline constexpr std::size_t kMinPayload = 16;

class Packetiser {
 public:
  /// Plans the payloads of one temporal unit (low-overhead stream), each of at most `max_payload`
  /// bytes. False when it is no such unit or nothing of it travels. `unit` has to stay until the
  /// last write(). No allocation once warm.
  bool cut(ByteView unit, std::size_t max_payload);

  std::size_t packets() const { return packets_.size(); }
  std::size_t size(std::size_t packet) const { return packets_[packet].size; }
  /// Writes payload `packet` of size(packet) bytes.
  void write(std::size_t packet, std::uint8_t* out) const;
  /// The unit begins a coded video sequence: it has a sequence header.
  bool keyframe() const { return keyframe_; }

 private:
  struct Item {
    Obu obu;
    std::optional<unsigned> layer;  // The last that an OBU named up to here.
    std::size_t size() const { return obu.header_size() + obu.payload.size(); }
  };
  struct Part {
    std::size_t item;
    std::size_t from;  // Within its header and payload.
    std::size_t size;
  };
  struct Packet {
    std::uint8_t aggregation;
    std::size_t first;  // Index into parts_.
    std::size_t count;
    std::size_t size;
  };

  bool read(ByteView unit);
  bool ends_layer(std::size_t item) const;
  void close(bool goes_on);

  std::vector<Item> items_;
  std::vector<Part> parts_;
  std::vector<Packet> packets_;
  std::size_t open_ = 0;  // First part of the packet in the making.
  bool keyframe_ = false;
};

}  // namespace sotto::rtc::av1
