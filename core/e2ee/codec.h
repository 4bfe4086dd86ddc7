// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The formats whose frames can be sealed. What each leaves in the clear stands in
// docs/encodings.md.
#pragma once

#include <cstdint>
#include <string_view>

namespace sotto::e2ee {

enum class Codec : std::uint8_t {
  kVp8,
  kVp9,
  kH264,  ///< Byte stream, one access unit.
  kH265,  ///< Byte stream, one access unit.
  kAv1,   ///< Low-overhead stream, one temporal unit.
  kOpus,
};

/// Lower case: "vp8", "h264", … As it stands in the inner layer's metadata.
std::string_view name_of(Codec codec);

}  // namespace sotto::e2ee
