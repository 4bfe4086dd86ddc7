// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Which camera of this machine is meant.
#pragma once

#include "core/base/error.h"

#include <string>
#include <string_view>
#include <vector>

namespace sotto {

struct CameraDevice {
  enum class Api { kLibcamera, kV4l2 };
  Api api = Api::kV4l2;
  std::string name;   ///< What to open: libcamera's camera name, or the device file.
  std::string title;  ///< For people.
};

/// What GStreamer's device providers see. Takes as long as they need to look, a second or so.
std::vector<CameraDevice> cameras_of_this_machine();

/// The camera meant by `wanted`: a device file, a part of a name or title, or empty for the best.
/// The module on a Raspberry Pi's ribbon is behind libcamera only; its /dev/video* nodes give raw
/// sensor data. USB cameras go through V4L2, which has their compressed formats too.
Result<CameraDevice> choose_camera(const std::vector<CameraDevice>& cameras,
                                   std::string_view wanted);

}  // namespace sotto
