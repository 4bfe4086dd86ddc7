// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// Changes bytes as damage and malice would. Seeded: a failure comes again.
#pragma once

#include "core/base/bytes.h"

#include <algorithm>
#include <cstdlib>
#include <iterator>
#include <random>
#include <span>

namespace sotto::fuzz {

/// SOTTO_FUZZ_RUNS, or enough for every build.
inline int runs(int enough = 20000) {
  const char* wanted = std::getenv("SOTTO_FUZZ_RUNS");
  return wanted == nullptr ? enough : std::atoi(wanted);
}

/// Bytes that mean something to start codes, OBUs and headers.
inline constexpr std::uint8_t kMediaBytes[] = {0,    0,    1,    3,    0x65, 0x41,
                                               0x80, 0xFF, 0x0A, 0x32, 0x12, 0x7F};

class Mutator {
 public:
  /// Bytes of `likely`, which outlives this, come often.
  explicit Mutator(std::span<const std::uint8_t> likely = kMediaBytes, unsigned seed = 20261122)
      : likely_(likely), random_(seed) {}

  std::size_t below(std::size_t bound) {
    return std::uniform_int_distribution<std::size_t>(0, bound - 1)(random_);
  }
  std::uint8_t byte() {
    return below(2) == 0 ? likely_[below(likely_.size())] : static_cast<std::uint8_t>(below(256));
  }
  void mutate(Bytes& bytes) {
    const auto at = [&](std::size_t i) { return bytes.begin() + static_cast<std::ptrdiff_t>(i); };
    if (bytes.empty()) {
      bytes.push_back(byte());
      return;
    }
    const auto i = below(bytes.size());
    switch (below(6)) {
      case 0: bytes[i] = byte(); break;
      case 1: bytes[i] = static_cast<std::uint8_t>(bytes[i] ^ (1U << below(8))); break;
      case 2: bytes.erase(at(i), at(std::min(bytes.size(), i + 1 + below(20)))); break;
      case 3: bytes.insert(at(i), 1 + below(4), byte()); break;
      case 4: bytes.resize(i); break;
      default: {
        const Bytes part(at(i), at(std::min(bytes.size(), i + 1 + below(30))));
        bytes.insert(at(below(bytes.size())), part.begin(), part.end());
      }
    }
  }
  void mutate_some(Bytes& bytes) {
    for (auto n = 1 + below(4); n > 0; --n) mutate(bytes);
  }
  /// Never what it was.
  Bytes mutated(Bytes bytes) {
    const auto original = bytes;
    do mutate_some(bytes);
    while (bytes == original);
    return bytes;
  }
  std::mt19937& random() { return random_; }

 private:
  std::span<const std::uint8_t> likely_;
  std::mt19937 random_;
};

}  // namespace sotto::fuzz
