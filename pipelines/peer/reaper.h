// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// Takes pipelines apart away from the main thread, and tells when one does not come down.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <string>

namespace sotto {

/// Runs tear-down jobs on a few threads that exist only while there are jobs. webrtcbin 1.22 can
/// deadlock while it stops (fixed in 1.22.3): such a job is reported after kStuck, its thread is
/// given up and does not count any more, so that the others are not held up.
class Reaper {
 public:
  static constexpr std::chrono::seconds kStuck{10};
  static constexpr int kMaxThreads = 4;

  static Reaper& instance();

  /// `job` sets states to NULL and drops the last references. Thread safe.
  void take(std::string label, std::function<void()> job);
  bool wait_idle(std::chrono::milliseconds limit);
  /// Jobs given up since the start of the process. Anything above zero is worth a bug report.
  int stuck() const;

 private:
  struct Job {
    std::string label;
    std::function<void()> run;
  };
  void start_thread();
  void work(int slot);
  void watch();

  struct Slot {
    bool busy = false;      // A thread lives here.
    bool given_up = false;  // …but its job is stuck.
    std::string label;
    std::chrono::steady_clock::time_point since{};
  };

  mutable std::mutex mutex_;  // Protects everything below; never held while a job runs.
  std::condition_variable changed_;
  std::deque<Job> jobs_;
  std::deque<Slot> slots_;
  int threads_ = 0;  // Busy ones that were not given up.
  bool watching_ = false;
  int stuck_ = 0;
};

}  // namespace sotto
