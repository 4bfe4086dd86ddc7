// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tests/support/rtsp_camera/picture.h"

#include <array>
#include <bit>
#include <cstddef>

namespace sotto::test {
namespace {

struct Colour {
  std::uint8_t y, u, v;
};
// White, yellow, cyan, green, magenta, red, blue, black: BT.601, limited range, 100 %.
constexpr std::array<Colour, 8> kBars{{{235, 128, 128},
                                       {210, 16, 146},
                                       {170, 166, 16},
                                       {145, 54, 34},
                                       {106, 202, 222},
                                       {81, 90, 240},
                                       {41, 240, 110},
                                       {16, 128, 128}}};
constexpr std::uint8_t kWhite = 235;
constexpr std::uint8_t kBlack = 16;
constexpr unsigned kFixedCells = 0b101U << 13U;

unsigned cells_of(PictureMark mark) {
  const unsigned low = (mark.frame & 0xFFU) | (mark.clip & 0xFU) << 8U;
  const unsigned parity = static_cast<unsigned>(std::popcount(low)) & 1U;
  return low | parity << 12U | kFixedCells;
}

}  // namespace

Bytes draw_picture(PictureMark mark, unsigned width, unsigned height) {
  const unsigned bars_height = height * 5 / 6 / 2 * 2;
  const unsigned shift = mark.frame * width / 80;
  const unsigned cells = cells_of(mark);
  const auto colour_at = [&](unsigned x, unsigned y) {
    if (y < bars_height) return kBars[(x + shift) % width * kBars.size() / width];
    const bool one = (cells >> (x * kPictureCells / width) & 1U) != 0;
    return Colour{one ? kWhite : kBlack, 128, 128};
  };
  const std::size_t luma = std::size_t{width} * height;
  Bytes out(luma * 3 / 2);
  for (unsigned y = 0; y < height; ++y) {
    for (unsigned x = 0; x < width; ++x) {
      const Colour colour = colour_at(x, y);
      out[std::size_t{y} * width + x] = colour.y;
      if (x % 2 == 0 && y % 2 == 0) {
        const std::size_t chroma = std::size_t{y} / 2 * (width / 2) + x / 2;
        out[luma + chroma] = colour.u;
        out[luma + luma / 4 + chroma] = colour.v;
      }
    }
  }
  return out;
}

std::optional<PictureMark> read_picture(ByteView luma, unsigned stride, unsigned width,
                                        unsigned height) {
  if (width < kPictureCells || stride < width || height < 6) return std::nullopt;
  if (luma.size() < std::size_t{stride} * (height - 1) + width) return std::nullopt;
  const unsigned y = height * 11 / 12;
  unsigned cells = 0;
  for (unsigned cell = 0; cell < kPictureCells; ++cell) {
    const unsigned x = (2 * cell + 1) * width / (2 * kPictureCells);
    const unsigned value = luma[std::size_t{y} * stride + x];
    // The grey between is neither: a picture of something else, or a broken one.
    if (value > 88 && value < 163) return std::nullopt;
    if (value >= 163) cells |= 1U << cell;
  }
  const PictureMark mark{cells & 0xFFU, cells >> 8U & 0xFU};
  if (cells_of(mark) != cells || mark.frame >= kClipFrames) return std::nullopt;
  return mark;
}

}  // namespace sotto::test
