// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// The published vectors, as lines of words.
#pragma once

#include "core/base/bytes.h"

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

namespace sotto::sframe {

using Words = std::vector<std::string>;

inline std::vector<Words> vectors(const std::string& name) {
  const char* root = std::getenv("SOTTO_SOURCE_ROOT");
  std::ifstream file(std::string(root == nullptr ? "." : root) + "/tests/core/sframe/vectors/" +
                     name);
  std::vector<Words> found;
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line[0] == '#') continue;
    std::istringstream words(line);
    found.emplace_back();
    for (std::string word; words >> word;) found.back().push_back(word);
  }
  return found;
}

inline std::uint64_t number(const std::string& hex) { return std::stoull(hex, nullptr, 16); }

}  // namespace sotto::sframe
