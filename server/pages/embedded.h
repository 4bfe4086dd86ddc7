// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// The files of web/ inside the program; the list is made by embed.py while building.
#pragma once

#include <span>
#include <string_view>

namespace sotto::server {

struct EmbeddedFile {
  std::string_view path;  ///< Relative, e.g. "js/wall.js".
  std::string_view etag;  ///< Of the content, without quotes.
  std::string_view content;
};

std::span<const EmbeddedFile> embedded_files();  ///< By path.

}  // namespace sotto::server
