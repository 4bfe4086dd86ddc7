// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// The threads that carry frames to viewers: few, fixed, shared by all tracks of the process.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace sotto::rtc::fanout {

/// Work that is due again and again on one worker. It waits in the queue once at most, however
/// often it is scheduled: that bounds the queue by the number of jobs.
class Job {
 public:
  virtual ~Job() = default;
  virtual void run() = 0;

 private:
  friend class WorkerPool;
  std::atomic<bool> queued_{false};
};

class WorkerPool {
 public:
  static WorkerPool& instance();
  /// Takes effect when instance() was not called yet.
  static void set_size(std::size_t threads);

  explicit WorkerPool(std::size_t threads);
  ~WorkerPool();
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  std::size_t size() const { return workers_.size(); }
  /// Runs the job on that worker soon. A call during run() makes it run once more.
  void schedule(std::size_t worker, std::shared_ptr<Job> job);

  /// A worker for a new viewer; give it back with leave().
  std::size_t join(std::uint32_t affinity);
  void leave(std::size_t worker);

 private:
  struct Worker {
    std::mutex mutex;
    std::condition_variable wake;
    std::vector<std::shared_ptr<Job>> ready;
    bool stopping = false;
    std::atomic<std::size_t> viewers{0};
    std::thread thread;
  };
  static void work(Worker& worker);

  std::vector<std::unique_ptr<Worker>> workers_;
};

}  // namespace sotto::rtc::fanout
