// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// The elementary streams a test camera plays, encoded once and kept as files.
//
// x265 and libvpx beside a browser on two cores starve both, so nothing is encoded while a test
// runs: the first one to need a clip makes the file, all others read it.
#pragma once

#include "core/base/error.h"
#include "elements/glue/gst_ptr.h"

#include <chrono>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace sotto::test {

struct Clip {
  std::string name;
  unsigned number = 0;  ///< Of a picture's mark.
  bool video = false;
  GstPtr<GstCaps> caps;
  std::vector<GstPtr<GstBuffer>> buffers;  ///< In decoding order; PTS and DTS start near zero.
  std::chrono::nanoseconds duration{};     ///< After which it starts again.
};

/// Names: h264, h264-high, h264-small, h264-b (with B-frames), h265, vp8, vp9, av1; aac, opus,
/// pcmu, pcma, g722. All pictures are 320×240 (small: 160×120) at 15 frames a second with a
/// keyframe every 20, all sound is a 440 Hz tone, and each lasts 10.67 s.
std::vector<std::string> clip_names();

/// Reads the clip, encoding it first where no file is. Safe between processes.
Result<Clip> load_clip(std::string_view name);

/// $SOTTO_BUILD_ROOT/test-clips, or a folder of this user below the temporary one.
std::filesystem::path clip_folder();

}  // namespace sotto::test
