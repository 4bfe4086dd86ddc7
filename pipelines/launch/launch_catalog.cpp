// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "pipelines/launch/launch_catalog.h"

#include "pipelines/launch/launch_file.h"

#include <algorithm>
#include <fstream>

namespace sotto {
namespace {

Result<std::string> read_text(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) {
    return fail(ErrorCode::kNotFound, "cannot open " + path + "; check the path and its rights");
  }
  // One byte more than allowed shows that there is more; the parser then refuses it.
  std::string text(kMaxLaunchBytes + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (in.bad()) return fail(ErrorCode::kIo, "cannot read " + path);
  text.resize(static_cast<std::size_t>(in.gcount()));
  return text;
}

}  // namespace

Result<std::string> load_launch(const std::string& name_or_path) {
  const bool is_path =
      name_or_path.find('/') != std::string::npos || name_or_path.ends_with(".launch");
  if (is_path) return read_text(name_or_path);
  const auto all = embedded_launches();
  const auto found = std::find_if(all.begin(), all.end(),
                                  [&](const auto& entry) { return entry.name == name_or_path; });
  if (found != all.end()) return std::string(found->text);
  return fail(ErrorCode::kNotFound,
              "there is no launch file named \"" + name_or_path +
                  "\"; `sotto launch --list` shows them, and a path to a file works too");
}

}  // namespace sotto
