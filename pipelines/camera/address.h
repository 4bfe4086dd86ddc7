// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// A camera's address as people write it, checked and taken apart.
#pragma once

#include "core/base/error.h"
#include "pipelines/camera/options.h"

#include <string>
#include <string_view>

namespace sotto::camera {

inline constexpr std::size_t kMaxUrlBytes = 2048;

/// Takes rtsp://, rtsps:// and demo: only: GStreamer would open files and web pages just as well.
/// A log-in within the address is moved out of it, where `given` names none. Errors say what is
/// wrong with which part and hold no password.
Result<Address> parse_address(std::string_view url, Address given = {});

Result<Transport> parse_transport(std::string_view name);

}  // namespace sotto::camera
