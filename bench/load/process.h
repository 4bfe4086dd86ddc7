// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// What a process uses, as /proc tells it (proc(5)).
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>

namespace sotto::bench {

struct ProcessUsage {
  double cpu_seconds = 0;  ///< User and system, all threads, also those that ended.
  std::size_t rss_kb = 0;
  std::size_t threads = 0;
  std::size_t descriptors = 0;
};

/// All zero when the process is gone.
ProcessUsage usage_of(pid_t pid);

}  // namespace sotto::bench
