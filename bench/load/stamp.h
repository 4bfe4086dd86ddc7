// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// What the feeder appends to the last packet of every frame, and the load client reads.
//
// Both run on one machine, so it is in the machine's byte order. A VP8 decoder ignores bytes after
// its last partition; a relay does not look at them.
#pragma once

#include "core/base/bytes.h"

#include <cstdint>
#include <cstring>
#include <optional>

namespace sotto::bench {

struct Stamp {
  std::uint32_t magic = 0x6F74746F;
  std::uint32_t frame = 0;            ///< Counts up by one.
  std::uint64_t packets = 0;          ///< Sent so far, this one included: what was lost shows.
  std::int64_t sent_nanoseconds = 0;  ///< CLOCK_REALTIME, just before the send call.
};

inline std::optional<Stamp> read_stamp(ByteView payload) {
  Stamp stamp;
  const std::uint32_t magic = stamp.magic;
  if (payload.size() < sizeof(stamp)) return std::nullopt;
  std::memcpy(&stamp, payload.data() + payload.size() - sizeof(stamp), sizeof(stamp));
  if (stamp.magic != magic) return std::nullopt;
  return stamp;
}

}  // namespace sotto::bench
