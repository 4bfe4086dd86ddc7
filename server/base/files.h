// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// Files with secrets: made private from their first byte, replaced as a whole.
#pragma once

#include "core/base/error.h"

#include <filesystem>
#include <string>
#include <string_view>

namespace sotto::server {

/// Writes a temporary neighbour with mode 0600, flushes it to the disk and renames it into place.
Result<> write_private_file(const std::filesystem::path& file, std::string_view content);

/// The content of a regular file of at most `max_bytes`.
Result<std::string> read_small_file(const std::filesystem::path& file, std::size_t max_bytes);

/// The same, and nobody but the owner may read or write it.
Result<std::string> read_private_file(const std::filesystem::path& file, std::size_t max_bytes);

/// Makes `directory` (0700) if it is missing.
Result<> make_private_directory(const std::filesystem::path& directory);

}  // namespace sotto::server
