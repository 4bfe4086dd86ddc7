// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// The fuzz corpus doubles as the sample descriptions of the tests.
#pragma once

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>

namespace sotto::rtc::sdp {

inline std::string sample(const std::string& name) {
  const char* root = std::getenv("SOTTO_SOURCE_ROOT");
  std::ifstream file(std::string(root == nullptr ? "." : root) + "/tests/fuzz/corpus/sdp/" + name +
                     ".sdp");
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

}  // namespace sotto::rtc::sdp
