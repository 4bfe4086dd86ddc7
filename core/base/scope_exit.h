// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Runs a closure when the scope ends, whichever way it ends.
#pragma once

#include <utility>

namespace sotto {

template <class F>
class [[nodiscard]] ScopeExit {
 public:
  explicit ScopeExit(F f) : f_(std::move(f)) {}
  ~ScopeExit() {
    if (armed_) f_();
  }
  ScopeExit(const ScopeExit&) = delete;
  ScopeExit& operator=(const ScopeExit&) = delete;
  /// Forgets the closure: the scope succeeded and nothing has to be undone.
  void release() { armed_ = false; }

 private:
  F f_;
  bool armed_ = true;
};

}  // namespace sotto
