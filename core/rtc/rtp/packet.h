// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// RTP packets, read without trusting them and written for tests and probes (RFC 3550, 5.1).
#pragma once

#include "core/base/bytes.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace sotto::rtc::rtp {

inline constexpr std::size_t kFixedHeaderBytes = 12;
/// An RTP packet of ours fits one Ethernet frame; cameras over TCP may send up to this.
inline constexpr std::size_t kMaxPacketBytes = 65'535;

/// The fixed header and where the parts are. Offsets are within the packet, checked.
struct Header {
  bool marker = false;
  std::uint8_t payload_type = 0;
  std::uint16_t sequence = 0;
  std::uint32_t timestamp = 0;
  std::uint32_t ssrc = 0;
  std::uint16_t extension_profile = 0;  ///< 0xBEDE, 0x100x, or 0 without extensions.
  std::size_t extension_offset = 0;     ///< Of the elements, after the four bytes of header.
  std::size_t extension_size = 0;
  std::size_t payload_offset = 0;
  std::size_t payload_size = 0;  ///< Without padding; 0 for a packet that is padding only.
};

/// Nothing for what is not RTP version 2, or whose CSRC list, extension or padding does not fit.
std::optional<Header> parse(ByteView packet);

inline ByteView payload_of(ByteView packet, const Header& header) {
  return packet.subspan(header.payload_offset, header.payload_size);
}

inline void store_u16(std::uint8_t* out, std::uint16_t value) {
  out[0] = static_cast<std::uint8_t>(value >> 8U);
  out[1] = static_cast<std::uint8_t>(value);
}
inline void store_u32(std::uint8_t* out, std::uint32_t value) {
  store_u16(out, static_cast<std::uint16_t>(value >> 16U));
  store_u16(out + 2, static_cast<std::uint16_t>(value));
}
inline std::uint16_t load_u16(const std::uint8_t* in) {
  return static_cast<std::uint16_t>(in[0] << 8U | in[1]);
}
inline std::uint32_t load_u32(const std::uint8_t* in) {
  return std::uint32_t{load_u16(in)} << 16U | load_u16(in + 2);
}

/// One header extension element (RFC 8285, 4).
struct Extension {
  std::uint8_t id = 0;
  ByteView value;
};

/// Calls visit(Extension) for each element, one-byte or two-byte form. Stops at the first element
/// that does not fit and returns false; what came before it was visited.
template <class Visit>
bool for_each_extension(ByteView packet, const Header& header, Visit visit);

/// The value of the element with this id, or an empty view.
ByteView find_extension(ByteView packet, const Header& header, std::uint8_t id);

/// Makes a packet from its parts. Extension ids of 1 to 14 with values of 1 to 16 bytes take the
/// one-byte form, anything else the two-byte form.
struct Builder {
  bool marker = false;
  std::uint8_t payload_type = 96;
  std::uint16_t sequence = 0;
  std::uint32_t timestamp = 0;
  std::uint32_t ssrc = 1;
  std::vector<std::uint32_t> csrcs;  ///< At most 15.
  std::vector<std::pair<std::uint8_t, Bytes>> extensions;
  Bytes payload;
  std::uint8_t padding = 0;  ///< Bytes of padding, the count itself included.

  Bytes build() const;
};

// ---------------------------------------------------------------------------------------------

template <class Visit>
bool for_each_extension(ByteView packet, const Header& header, Visit visit) {
  const bool one_byte = header.extension_profile == 0xBEDE;
  const bool two_byte = (header.extension_profile & 0xFFF0U) == 0x1000;
  if (!one_byte && !two_byte) return true;  // Another profile's extension has no elements.
  const ByteView area = packet.subspan(header.extension_offset, header.extension_size);
  std::size_t at = 0;
  while (at < area.size()) {
    if (area[at] == 0) {  // Padding between elements.
      ++at;
      continue;
    }
    std::uint8_t id = area[at];
    std::size_t size = 0;
    if (one_byte) {
      size = (id & 0x0FU) + 1U;
      id = static_cast<std::uint8_t>(id >> 4U);
      if (id == 15) return true;  // Reserved: the rest is to be ignored (RFC 8285, 4.2).
      if (id == 0) return false;  // Padding has no length.
      at += 1;
    } else {
      if (at + 1 >= area.size()) return false;
      size = area[at + 1];
      at += 2;
    }
    if (size > area.size() - at) return false;
    visit(Extension{id, area.subspan(at, size)});
    at += size;
  }
  return true;
}

}  // namespace sotto::rtc::rtp
