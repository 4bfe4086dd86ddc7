// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Searches the memory of the process itself for a key.
#pragma once

#include "core/base/secret.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

namespace sotto::test {

inline constexpr std::uint8_t kMask = 0xA5;
inline constexpr std::size_t kMaxMapping = 256UL << 20U;  // Larger ones are a sanitizer's shadow.

/// A key nobody else holds; kept in a form that a search for the key does not find.
class Masked {
 public:
  explicit Masked(ByteView key) : bytes_(key.begin(), key.end()) {
    for (auto& byte : bytes_) byte ^= kMask;
  }
  std::size_t size() const { return bytes_.size(); }
  bool is_at(const std::uint8_t* memory) const {
    for (std::size_t i = 0; i < bytes_.size(); ++i) {
      if ((memory[i] ^ kMask) != bytes_[i]) return false;
    }
    return true;
  }
  std::uint8_t first() const { return bytes_[0] ^ kMask; }

 private:
  Bytes bytes_;
};

/// How often the key stands in the writable memory of this process.
inline std::size_t copies_of(const Masked& key) {
  static std::vector<std::uint8_t> window;  // Searched memory passes through here; it is wiped.
  std::size_t found = 0;
  const int memory = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
  EXPECT_GE(memory, 0);
  std::ifstream maps("/proc/self/maps");
  std::vector<std::pair<std::uintptr_t, std::uintptr_t>> ranges;
  for (std::string line; std::getline(maps, line);) {
    unsigned long start = 0;
    unsigned long end = 0;
    char flags[5] = {};
    if (std::sscanf(line.c_str(), "%lx-%lx %4s", &start, &end, flags) != 3) continue;
    if (flags[1] == 'w' && end - start <= kMaxMapping) ranges.emplace_back(start, end);
  }
  for (const auto& [start, end] : ranges) {
    window.resize(end - start);
    const auto got = pread(memory, window.data(), window.size(), static_cast<off_t>(start));
    const auto size = got < 0 ? 0U : static_cast<std::size_t>(got);
    const auto* own_begin = window.data();
    for (std::size_t i = 0; i + key.size() <= size;) {
      const auto* next =
          static_cast<const std::uint8_t*>(std::memchr(window.data() + i, key.first(), size - i));
      if (next == nullptr) break;
      i = static_cast<std::size_t>(next - window.data());
      if (i + key.size() > size) break;
      const auto address = reinterpret_cast<const std::uint8_t*>(start + i);
      const bool own = address >= own_begin && address < own_begin + window.size();
      if (!own && key.is_at(next)) ++found;
      ++i;
    }
    wipe(window);
  }
  close(memory);
  window.clear();
  window.shrink_to_fit();
  return found;
}

/// Runs deeper than its caller did, so that the frames it left on the stack are overwritten.
[[gnu::noinline]] inline void overwrite_stack() {
  std::uint8_t deep[32768];
  wipe(deep);
}

}  // namespace sotto::test
