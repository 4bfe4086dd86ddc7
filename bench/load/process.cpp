// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "bench/load/process.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

namespace sotto::bench {

ProcessUsage usage_of(pid_t pid) {
  ProcessUsage usage;
  const std::string folder = "/proc/" + std::to_string(pid);
  std::string stat;
  std::getline(std::ifstream(folder + "/stat"), stat);
  const std::size_t name_end = stat.rfind(')');  // The name may hold anything, also spaces.
  if (name_end != std::string::npos) {
    std::istringstream fields(stat.substr(name_end + 1));
    constexpr int kFieldsBeforeUtime = 11;  // From the state, field 3, up to field 13.
    std::string skipped;
    for (int i = 0; i < kFieldsBeforeUtime; ++i) fields >> skipped;
    double user = 0;
    double system = 0;
    fields >> user >> system;
    usage.cpu_seconds = (user + system) / static_cast<double>(sysconf(_SC_CLK_TCK));
  }
  std::ifstream status(folder + "/status");
  for (std::string line; std::getline(status, line);) {
    std::istringstream words(line);
    std::string key;
    words >> key;
    if (key == "VmRSS:") words >> usage.rss_kb;
    if (key == "Threads:") words >> usage.threads;
  }
  std::error_code error;
  for (std::filesystem::directory_iterator at(folder + "/fd", error), end; !error && at != end;
       at.increment(error))
    ++usage.descriptors;
  return usage;
}

}  // namespace sotto::bench
