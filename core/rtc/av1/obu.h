// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// Open bitstream units, the pieces that an AV1 stream consists of (AV1 Bitstream and Decoding
// Process Specification, 5.3), and the numbers in front of them.
#pragma once

#include "core/base/bytes.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace sotto::rtc::av1 {

/// LEB128 in its shortest form (AV1, 4.10.5).
struct Leb128 {
  std::array<std::uint8_t, 8> bytes{};
  std::size_t size = 0;
  ByteView view() const { return {bytes.data(), size}; }
};
/// `number` below 2^56.
Leb128 leb128(std::size_t number);

struct ReadLeb128 {
  std::size_t value;
  std::size_t bytes;  ///< 1 to 8: a writer may take more than it needs.
};
/// Nothing when it is cut off, or 2^32 and more, which AV1 forbids.
std::optional<ReadLeb128> read_leb128(ByteView bytes);

enum ObuType : std::uint8_t {
  kSequenceHeader = 1,
  kTemporalDelimiter = 2,
  kTileList = 8,
};

constexpr std::uint8_t kObuForbidden = 0x80;
constexpr std::uint8_t kObuHasExtension = 0x04;
constexpr std::uint8_t kObuHasSize = 0x02;

struct Obu {
  std::uint8_t header = 0;
  std::uint8_t extension = 0;  ///< Temporal and spatial id; 0 when there is none.
  ByteView payload;

  unsigned type() const { return (header >> 3U) & 0x0FU; }
  bool has_extension() const { return (header & kObuHasExtension) != 0; }
  std::size_t header_size() const { return has_extension() ? 2 : 1; }
};

/// One OBU at the beginning of `bytes` and how long it is. Without a size of its own it goes to the
/// end. Nothing when it is no OBU or cut off.
struct ReadObu {
  Obu obu;
  std::size_t bytes;
};
std::optional<ReadObu> read_obu(ByteView bytes);

// The aggregation header that each payload begins with (RTP Payload Format For AV1, 4.4).
constexpr std::uint8_t kContinues = 0x80;    ///< Z: the first OBU began in the packet before.
constexpr std::uint8_t kGoesOn = 0x40;       ///< Y: the last OBU ends in a later packet.
constexpr std::uint8_t kNewSequence = 0x08;  ///< N: a coded video sequence begins.
/// W: how many OBUs, the last without a size; 0 when each has one.
constexpr unsigned count_of(std::uint8_t aggregation) { return (aggregation >> 4U) & 0x03U; }

/// Of one temporal unit: the largest frame that can be sealed, sealed, and some.
inline constexpr std::size_t kMaxUnitBytes = 48U << 20U;

}  // namespace sotto::rtc::av1
