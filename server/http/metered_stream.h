// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// An I/O stream that passes everything through and counts. libsoup 3.2 bounds neither what waits to
// be sent on a WebSocket nor what a client piles up in unfinished fragments; with the counts we do.
#pragma once

#include <gio/gio.h>

#include <cstdint>

namespace sotto::server {

struct StreamMeter {
  /// Bytes of WebSocket data frames taken by the connection. Pings and closes are not counted:
  /// libsoup sends those on its own account.
  std::uint64_t data_written = 0;
  std::uint64_t read = 0;
  /// Reading beyond this fails, which ends the connection. The owner moves it along.
  std::uint64_t read_limit = UINT64_MAX;

  // Where in a frame the writer is; libsoup hands over one frame (or its rest) per call.
  std::uint64_t frame_left = 0;
  bool frame_is_data = false;
};

/// Takes its own reference to `base`, whose two halves must be pollable. The meter lives as long as
/// the stream.
GIOStream* metered_stream_new(GIOStream* base);
StreamMeter& metered_stream_meter(GIOStream* stream);

/// The bytes an unmasked frame with this payload takes (RFC 6455 section 5.2).
constexpr std::uint64_t frame_bytes(std::uint64_t payload) {
  return payload + (payload < 126 ? 2U : payload < 65'536 ? 4U : 10U);
}

}  // namespace sotto::server
