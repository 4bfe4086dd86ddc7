// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "pipelines/peer/reaper.h"

#include <gst/gst.h>

#include <thread>
#include <utility>

GST_DEBUG_CATEGORY_EXTERN(sotto_peer_debug);
#define GST_CAT_DEFAULT sotto_peer_debug

namespace sotto {

Reaper& Reaper::instance() {
  // Never destroyed: a given-up thread may still look at it when the process ends.
  static auto* reaper = new Reaper;
  return *reaper;
}

void Reaper::take(std::string label, std::function<void()> job) {
  const std::lock_guard lock(mutex_);
  jobs_.push_back({std::move(label), std::move(job)});
  if (threads_ < kMaxThreads) start_thread();
  if (!std::exchange(watching_, true)) std::thread([this] { watch(); }).detach();
}

void Reaper::start_thread() {
  int slot = 0;
  while (slot < static_cast<int>(slots_.size()) && slots_[static_cast<std::size_t>(slot)].busy) {
    ++slot;
  }
  if (slot == static_cast<int>(slots_.size())) slots_.emplace_back();
  auto& entry = slots_[static_cast<std::size_t>(slot)];
  entry = {};
  entry.busy = true;
  entry.since = std::chrono::steady_clock::now();
  ++threads_;
  std::thread([this, slot] { work(slot); }).detach();
}

void Reaper::work(int slot) {
  std::unique_lock lock(mutex_);
  for (;;) {
    auto& entry = slots_[static_cast<std::size_t>(slot)];
    if (jobs_.empty() || entry.given_up) {
      if (!entry.given_up) --threads_;
      entry = {};
      changed_.notify_all();
      return;
    }
    {
      const Job job = std::move(jobs_.front());
      jobs_.pop_front();
      entry.label = job.label;
      entry.since = std::chrono::steady_clock::now();
      lock.unlock();
      job.run();
    }  // The job's captures go here, outside the lock: they are the last references.
    lock.lock();
  }
}

void Reaper::watch() {
  std::unique_lock lock(mutex_);
  while (threads_ > 0 || !jobs_.empty()) {
    changed_.wait_for(lock, std::chrono::seconds(1));
    const auto now = std::chrono::steady_clock::now();
    for (auto& entry : slots_) {
      if (!entry.busy || entry.given_up || now - entry.since < kStuck) continue;
      entry.given_up = true;
      --threads_;
      ++stuck_;
      GST_ERROR("%s: webrtcbin did not stop within %d s; its thread is given up",
                entry.label.c_str(), static_cast<int>(kStuck.count()));
      if (!jobs_.empty()) start_thread();
    }
  }
  watching_ = false;
  changed_.notify_all();
}

bool Reaper::wait_idle(std::chrono::milliseconds limit) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, limit,
                           [this] { return threads_ == 0 && jobs_.empty() && !watching_; });
}

int Reaper::stuck() const {
  const std::lock_guard lock(mutex_);
  return stuck_;
}

}  // namespace sotto
