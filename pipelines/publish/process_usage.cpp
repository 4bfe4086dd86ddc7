// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "pipelines/publish/process_usage.h"

#include <sys/resource.h>
#include <unistd.h>

#include <fstream>

namespace sotto {
namespace {

std::chrono::microseconds cpu_used() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return std::chrono::seconds(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
         std::chrono::microseconds(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

}  // namespace

ProcessUsage::ProcessUsage() : at_(std::chrono::steady_clock::now()), used_(cpu_used()) {}

double ProcessUsage::take_cpu_percent() {
  const auto now = std::chrono::steady_clock::now();
  const auto used = cpu_used();
  const auto wall = std::chrono::duration<double>(now - at_).count();
  const auto cpu = std::chrono::duration<double>(used - used_).count();
  at_ = now;
  used_ = used;
  return wall > 0 ? 100.0 * cpu / wall : 0.0;
}

std::uint64_t ProcessUsage::resident_kib() {
  std::ifstream statm("/proc/self/statm");
  std::uint64_t total = 0;
  std::uint64_t resident = 0;
  if (!(statm >> total >> resident)) return 0;
  return resident * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE)) / 1024;
}

}  // namespace sotto
