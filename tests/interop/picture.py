# SPDX-FileCopyrightText: The sotto authors
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The test picture of tests/support/rtsp_camera/picture.h, drawn and read with numpy."""
import numpy

CELLS = 16
FRAMES = 160
FIXED = 0b101 << 13
# White, yellow, cyan, green, magenta, red, blue, black.
BARS = numpy.array([[255, 255, 255], [255, 255, 0], [0, 255, 255], [0, 255, 0], [255, 0, 255], [255, 0, 0],
                    [0, 0, 255], [0, 0, 0]], dtype=numpy.uint8)


def cells_of(frame, clip):
    low = (frame & 0xFF) | (clip & 0xF) << 8
    return low | (bin(low).count("1") & 1) << 12 | FIXED


def draw(frame, clip, width=320, height=240):
    """RGB, height × width × 3."""
    picture = numpy.empty((height, width, 3), dtype=numpy.uint8)
    columns = numpy.arange(width)
    bars = height * 5 // 6 // 2 * 2
    picture[:bars] = BARS[(columns + frame * width // 80) % width * len(BARS) // width]
    bits = cells_of(frame, clip) >> (columns * CELLS // width) & 1
    picture[bars:] = (bits * 255).astype(numpy.uint8)[:, None]
    return picture


def read(luma):
    """(frame, clip) of a luma plane (height × width), or None when it is no such picture."""
    height, width = luma.shape
    row = luma[height * 11 // 12]
    values = row[(2 * numpy.arange(CELLS) + 1) * width // (2 * CELLS)]
    if ((values > 88) & (values < 163)).any():
        return None
    cells = int(sum(1 << index for index, value in enumerate(values) if value >= 163))
    frame, clip = cells & 0xFF, cells >> 8 & 0xF
    return (frame, clip) if cells_of(frame, clip) == cells and frame < FRAMES else None
