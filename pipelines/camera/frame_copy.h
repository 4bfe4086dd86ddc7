// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// A frame with other times or packets than the one it is made from.
#pragma once

#include "core/rtc/frame.h"

#include <memory>

namespace sotto::camera {

/// Shares the packets' memory, which may belong to the frame itself: the copy keeps it alive.
inline std::shared_ptr<rtc::Frame> copy_of(const rtc::FramePtr& frame) {
  auto copy = std::make_shared<rtc::Frame>(*frame);
  copy->owner = frame;
  return copy;
}

}  // namespace sotto::camera
