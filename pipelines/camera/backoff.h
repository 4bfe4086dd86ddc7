// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// When to try a camera again.
#pragma once

#include "pipelines/camera/options.h"

#include <chrono>
#include <cstdint>
#include <functional>

namespace sotto::camera {

/// Doubles from the first pause to the quick one and stays there for the first half minute, in
/// which a camera that was restarted comes back; then doubles on to the slowest. Each pause is
/// spread by a fifth either way, so that fifty cameras behind one switch do not return as one.
class Backoff {
 public:
  /// `random` gives any 32 bits; tests make it steady.
  explicit Backoff(const Patience& patience, std::function<std::uint32_t()> random = {});

  std::chrono::milliseconds next();
  /// Knocking again soon makes it worse (a camera locks an account after wrong passwords).
  void be_slow();
  void reset();
  unsigned attempts() const { return attempts_; }

 private:
  Patience patience_;
  std::function<std::uint32_t()> random_;
  unsigned attempts_ = 0;
  std::chrono::milliseconds waited_{0};
  std::chrono::milliseconds pause_{0};
};

}  // namespace sotto::camera
