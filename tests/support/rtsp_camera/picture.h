// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// A moving picture that a test can read back after any codec: which clip it is, which frame.
//
//   +----------------------------------------+
//   | eight colour bars, moving left by      |  5/6 of the height
//   | 1/80 of the width with every frame     |
//   +----------------------------------------+
//   | 16 cells, black is 0 and white is 1    |  1/6 of the height
//   +----------------------------------------+
//     cells 0-7 frame number, 8-11 clip, 12 even parity of 0-11, 13-15 always 1 0 1
#pragma once

#include "core/base/bytes.h"

#include <cstdint>
#include <optional>

namespace sotto::test {

inline constexpr unsigned kPictureCells = 16;
/// Frames after which the bars stand where they began.
inline constexpr unsigned kClipFrames = 160;
inline constexpr unsigned kClipFps = 15;

struct PictureMark {
  unsigned frame = 0;  ///< 0 to kClipFrames - 1.
  unsigned clip = 0;   ///< 0 to 15.
};

/// The picture in I420, planes without padding.
Bytes draw_picture(PictureMark mark, unsigned width, unsigned height);

/// What a luma plane shows; nothing when the cells are not those of such a picture.
std::optional<PictureMark> read_picture(ByteView luma, unsigned stride, unsigned width,
                                        unsigned height);

}  // namespace sotto::test
