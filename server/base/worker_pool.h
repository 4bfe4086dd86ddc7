// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// A few threads for work that would stall the main loop, with a bound on what waits for them.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace sotto::server {

class WorkerPool {
 public:
  WorkerPool(std::size_t threads, std::size_t max_waiting);
  /// Waits for what runs; what waits is dropped.
  ~WorkerPool();
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  /// False when too much is waiting already. The task runs on another thread: it hands its result
  /// back through MainContext::post().
  [[nodiscard]] bool run(std::function<void()> task);

 private:
  void work();

  std::mutex mutex_;  // Protects waiting_ and stopping_.
  std::condition_variable wake_;
  std::deque<std::function<void()>> waiting_;
  bool stopping_ = false;
  const std::size_t max_waiting_;
  std::vector<std::thread> threads_;
};

}  // namespace sotto::server
