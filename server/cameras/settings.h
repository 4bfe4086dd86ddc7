// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// A camera's settings between JSON, the configuration file and the camera itself.
#pragma once

#include "core/base/error.h"
#include "pipelines/camera/options.h"
#include "server/config/config.h"

#include <nlohmann/json.hpp>

#include <string_view>

namespace sotto::server {

/// Strict: unknown keys, wrong types and values out of range are errors that name the key.
/// `before` gives what the body leaves out: defaults, or the camera being changed.
Result<CameraConfig> camera_from_json(std::string_view body, const CameraConfig& before = {});
/// For state.db, password and all.
nlohmann::json camera_to_stored_json(const CameraConfig& camera);
/// For the API: no password, none in the addresses either.
nlohmann::json camera_to_public_json(const CameraConfig& camera);

/// Checks addresses, names and transport.
Result<camera::Options> camera_options(const CameraConfig& camera, std::uint64_t number);

bool operator==(const CameraConfig& a, const CameraConfig& b);

}  // namespace sotto::server
