// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Which encoder this machine should use, and how it is set for live pictures: no look-ahead, no
// B-frames, a rate window of a few hundred milliseconds, a keyframe every two seconds.
#pragma once

#include "core/base/error.h"
#include "pipelines/publish/options.h"

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace sotto {

/// True when an element of that name can be made here.
using HasElement = std::function<bool(std::string_view factory)>;

/// Asks GStreamer's registry.
HasElement elements_of_this_machine();

struct EncoderChoice {
  std::string factory;
  bool hardware = false;
  std::string codec;               ///< "H264" or "VP8".
  std::vector<std::string> words;  ///< From raw I420 or NV12 to RTP, for build_pipeline().
};

/// Hardware first, then x264enc, openh264enc, vp8enc. kUnsupported names what to install.
Result<EncoderChoice> choose_encoder(const PublishOptions& options, const HasElement& has);

}  // namespace sotto
