// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Where launch files come from: pipelines/*.launch are embedded, so an installed program needs no
// folder beside it; a path (it holds a slash or ends in .launch) is read from disk.
#pragma once

#include "core/base/error.h"

#include <span>
#include <string>
#include <string_view>

namespace sotto {

struct EmbeddedLaunch {
  std::string_view name;
  std::string_view text;
};

/// Every embedded file, by name.
std::span<const EmbeddedLaunch> embedded_launches();

/// The file's text. kNotFound names what there is.
Result<std::string> load_launch(const std::string& name_or_path);

}  // namespace sotto
