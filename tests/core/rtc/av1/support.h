// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// Temporal units by hand, cut into payloads and put together again.
#pragma once

#include "core/rtc/av1/depacketiser.h"
#include "core/rtc/av1/packetiser.h"

#include <initializer_list>
#include <string>
#include <vector>

namespace sotto::rtc::av1 {

inline const Bytes kDelimiterObu = {0x12, 0x00};

/// An OBU with its size; `extension` below zero for none. The payload counts up from `first`.
inline Bytes obu(unsigned type, std::size_t size, int extension = -1, std::uint8_t first = 1) {
  Bytes out = {static_cast<std::uint8_t>((type << 3U) | kObuHasSize |
                                         (extension >= 0 ? kObuHasExtension : 0U))};
  if (extension >= 0) out.push_back(static_cast<std::uint8_t>(extension));
  const auto length = leb128(size);
  out.insert(out.end(), length.bytes.begin(),
             length.bytes.begin() + static_cast<std::ptrdiff_t>(length.size));
  for (std::size_t i = 0; i < size; ++i) out.push_back(static_cast<std::uint8_t>(first + i));
  return out;
}

inline Bytes join(std::initializer_list<Bytes> parts) {
  Bytes out;
  for (const auto& part : parts) out.insert(out.end(), part.begin(), part.end());
  return out;
}

/// The payloads of a unit; none when the packetiser refuses it.
inline std::vector<Bytes> payloads(Packetiser& packetiser, ByteView unit, std::size_t most) {
  std::vector<Bytes> out;
  if (!packetiser.cut(unit, most)) return out;
  for (std::size_t i = 0; i < packetiser.packets(); ++i) {
    out.emplace_back(packetiser.size(i));
    packetiser.write(i, out.back().data());
  }
  return out;
}
inline std::vector<Bytes> payloads(ByteView unit, std::size_t most) {
  Packetiser packetiser;
  return payloads(packetiser, unit, most);
}

/// A depacketiser and the numbers a sender would give.
struct Receiver {
  Depacketiser depacketiser;
  std::uint16_t sequence = 65530;  // Wraps soon.
  std::uint32_t timestamp = 1000;
  bool keyframe = false;
  bool after_gap = false;

  /// The unit that ends with this payload, or nothing.
  Bytes push(const Bytes& payload, bool marker) {
    const auto unit = depacketiser.push({sequence++, timestamp, marker, payload});
    keyframe = unit.keyframe;
    after_gap = unit.after_gap;
    return {unit.bytes.begin(), unit.bytes.end()};
  }
  /// All payloads of a unit but those whose numbers are in `lost`.
  Bytes receive(const std::vector<Bytes>& unit, const std::vector<std::size_t>& lost = {}) {
    Bytes out;
    for (std::size_t i = 0; i < unit.size(); ++i) {
      bool gone = false;
      for (const auto each : lost) gone = gone || each == i;
      if (gone) {
        ++sequence;
      } else {
        out = push(unit[i], i + 1 == unit.size());
      }
    }
    timestamp += 3000;
    return out;
  }
};

}  // namespace sotto::rtc::av1
