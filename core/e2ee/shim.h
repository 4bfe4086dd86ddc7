// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What of a frame stays readable, and which of it is authenticated (docs/encodings.md, "Sealed
// frames"). Internal to core/e2ee.
#pragma once

#include "core/base/bytes.h"
#include "core/e2ee/codec.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace sotto::e2ee {

/// The longest is VP8's: ten bytes of the frame and four zeros.
inline constexpr std::size_t kMaxShim = 14;

struct Shim {
  std::array<std::uint8_t, kMaxShim> bytes{};
  std::size_t size =
      0;  ///< Of metadata; for VP8, VP9 and AV1 also what stands before the ciphertext.
  bool keyframe = true;
  ByteView view() const { return {bytes.data(), size}; }
};

bool has_nal_units(Codec codec);
/// Types that stay in the clear: parameter sets.
bool is_parameter_set(Codec codec, ByteView unit);
/// Types a receiver passes over: parameter sets, delimiters, supplemental information.
bool is_passed_over(Codec codec, ByteView unit);

/// The shim of a frame that is to be sealed; nothing when it is not a frame of this codec.
std::optional<Shim> shim_of(Codec codec, ByteView frame);

/// The shim at the beginning of what was sealed, and where the ciphertext begins. Not for codecs
/// with NAL units.
struct Split {
  Shim shim;
  ByteView ciphertext;
};
std::optional<Split> split(Codec codec, ByteView sealed);

/// The shim that the one sealed NAL unit of an access unit begins with.
std::optional<Shim> shim_of_unit(Codec codec, ByteView unit);

}  // namespace sotto::e2ee
