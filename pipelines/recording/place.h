// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// Where recordings go: below one folder, whatever name a client asks for.
#pragma once

#include "core/base/error.h"

#include <filesystem>
#include <string>

namespace sotto::recording {

inline constexpr std::size_t kMaxNameBytes = 200;
inline constexpr std::size_t kMaxNameDepth = 4;  ///< Folders and the file itself.

/// `name` below `folder`, whose missing sub-folders are made. A name is parts of letters, digits,
/// '.', '-' and '_' joined by '/', none of which begins with a dot; kInvalid for any other, and for
/// one that a symbolic link would lead out of the folder.
Result<std::filesystem::path> place(const std::filesystem::path& folder, const std::string& name);

}  // namespace sotto::recording
