// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "pipelines/recording/place.h"

#include <algorithm>
#include <cctype>

namespace sotto::recording {
namespace {

namespace fs = std::filesystem;

bool is_part(const std::string& part) {
  return !part.empty() && part.front() != '.' &&
         std::all_of(part.begin(), part.end(), [](unsigned char c) {
           return std::isalnum(c) != 0 || c == '.' || c == '-' || c == '_';
         });
}

}  // namespace

Result<fs::path> place(const fs::path& folder, const std::string& name) {
  const fs::path relative(name);
  bool sound = !name.empty() && name.size() <= kMaxNameBytes && name.back() != '/';
  std::size_t depth = 0;
  for (const fs::path& part : relative) {
    sound = sound && is_part(part.string());
    ++depth;
  }
  if (!sound || depth > kMaxNameDepth) {
    return fail(ErrorCode::kInvalid,
                "A recording's name is a path below the recordings folder of letters, digits, "
                "'.', '-' and '_'");
  }
  std::error_code error;
  fs::create_directories(folder / relative.parent_path(), error);
  if (error) return fail(ErrorCode::kIo, "The recordings folder: " + error.message());
  const fs::path root = fs::canonical(folder, error);
  const fs::path parent = error ? fs::path() : fs::canonical(root / relative.parent_path(), error);
  if (error ||
      std::mismatch(root.begin(), root.end(), parent.begin(), parent.end()).first != root.end()) {
    return fail(ErrorCode::kInvalid, "That name leads out of the recordings folder");
  }
  return parent / relative.filename();
}

}  // namespace sotto::recording
