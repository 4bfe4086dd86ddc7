// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What this process costs the machine.
#pragma once

#include <chrono>
#include <cstdint>

namespace sotto {

class ProcessUsage {
 public:
  ProcessUsage();
  /// Share of one core since the last call, in percent: 200 is two cores busy.
  double take_cpu_percent();
  /// Resident memory in KiB; 0 when /proc is not there.
  static std::uint64_t resident_kib();

 private:
  std::chrono::steady_clock::time_point at_;
  std::chrono::microseconds used_;
};

}  // namespace sotto
