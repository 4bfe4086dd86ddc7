// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// Names of the records. Internal to core/container.
#pragma once

#include <cstdint>
#include <string_view>

namespace sotto::container {

inline constexpr std::string_view kHeadLabel = "sotto/file/v1";
inline constexpr std::string_view kTrackLabel = "sotto/track/v1";
inline constexpr std::string_view kIndexLabel = "sotto/index/v1";
inline constexpr std::string_view kEndLabel = "sotto/end/v1";
/// A century in nanoseconds: what is later is damage, and sums stay far from 2^63.
inline constexpr std::uint64_t kMaxPts = 100ULL * 366 * 24 * 3600 * 1'000'000'000ULL;

}  // namespace sotto::container
