// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/rtc/rtp/packet.h"

#include <algorithm>

namespace sotto::rtc::rtp {

std::optional<Header> parse(ByteView packet) {
  if (packet.size() < kFixedHeaderBytes || packet.size() > kMaxPacketBytes) return std::nullopt;
  if (packet[0] >> 6U != 2) return std::nullopt;
  const bool padded = (packet[0] & 0x20U) != 0;
  const bool extended = (packet[0] & 0x10U) != 0;
  const std::size_t csrcs = packet[0] & 0x0FU;

  Header header;
  header.marker = (packet[1] & 0x80U) != 0;
  header.payload_type = packet[1] & 0x7FU;
  header.sequence = load_u16(&packet[2]);
  header.timestamp = load_u32(&packet[4]);
  header.ssrc = load_u32(&packet[8]);

  std::size_t at = kFixedHeaderBytes + 4 * csrcs;
  if (at > packet.size()) return std::nullopt;
  if (extended) {
    if (packet.size() - at < 4) return std::nullopt;
    header.extension_profile = load_u16(&packet[at]);
    header.extension_size = std::size_t{4} * load_u16(&packet[at + 2]);
    header.extension_offset = at + 4;
    if (packet.size() - header.extension_offset < header.extension_size) return std::nullopt;
    at = header.extension_offset + header.extension_size;
  }
  header.payload_offset = at;
  header.payload_size = packet.size() - at;
  if (padded) {
    const std::size_t padding = packet.back();
    if (padding == 0 || padding > header.payload_size) return std::nullopt;
    header.payload_size -= padding;
  }
  return header;
}

ByteView find_extension(ByteView packet, const Header& header, std::uint8_t id) {
  ByteView found;
  for_each_extension(packet, header, [&](const Extension& extension) {
    if (extension.id == id && found.empty()) found = extension.value;
  });
  return found;
}

Bytes Builder::build() const {
  Bytes out(kFixedHeaderBytes + 4 * csrcs.size());
  out[0] = static_cast<std::uint8_t>(0x80U | (padding != 0 ? 0x20U : 0U) |
                                     (extensions.empty() ? 0U : 0x10U) | (csrcs.size() & 0x0FU));
  out[1] = static_cast<std::uint8_t>((marker ? 0x80U : 0U) | (payload_type & 0x7FU));
  store_u16(&out[2], sequence);
  store_u32(&out[4], timestamp);
  store_u32(&out[8], ssrc);
  for (std::size_t i = 0; i < csrcs.size(); ++i) store_u32(&out[12 + 4 * i], csrcs[i]);

  if (!extensions.empty()) {
    const bool one_byte = std::all_of(extensions.begin(), extensions.end(), [](const auto& e) {
      return e.first >= 1 && e.first <= 14 && !e.second.empty() && e.second.size() <= 16;
    });
    Bytes area;
    for (const auto& [id, value] : extensions) {
      if (one_byte) {
        area.push_back(static_cast<std::uint8_t>(unsigned{id} << 4U | (value.size() - 1)));
      } else {
        area.push_back(id);
        area.push_back(static_cast<std::uint8_t>(value.size()));
      }
      area.insert(area.end(), value.begin(), value.end());
    }
    area.resize((area.size() + 3) / 4 * 4);
    const std::size_t at = out.size();
    out.resize(at + 4);
    store_u16(&out[at], one_byte ? 0xBEDE : 0x1000);
    store_u16(&out[at + 2], static_cast<std::uint16_t>(area.size() / 4));
    out.insert(out.end(), area.begin(), area.end());
  }
  out.insert(out.end(), payload.begin(), payload.end());
  if (padding != 0) {
    out.resize(out.size() + padding);
    out.back() = padding;
  }
  return out;
}

}  // namespace sotto::rtc::rtp
