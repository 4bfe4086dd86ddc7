// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// Frames of one mid on their way to whoever receives them, once the certificate was checked.
#pragma once

#include "core/rtc/frame.h"
#include "elements/webrtc/certificate_guard.h"

#include <atomic>
#include <memory>
#include <mutex>
#include <utility>

namespace sotto {

/// Hands frames of one mid on, to whoever is the receiver at the time; none before the verdict.
class Gate final : public rtc::FrameReceiver {
 public:
  explicit Gate(std::shared_ptr<CertificateGuard> guard) : guard_(std::move(guard)) {}

  void on_frame(rtc::FramePtr frame) override {
    if (guard_->ask() != CertificateGuard::Verdict::kRight) return;
    frames_.fetch_add(1, std::memory_order_relaxed);
    const std::lock_guard lock(mutex_);
    if (receiver_) receiver_->on_frame(std::move(frame));
  }

  /// The former receiver is not called any more once it returned.
  void set(std::shared_ptr<rtc::FrameReceiver> receiver) {
    const std::lock_guard lock(mutex_);
    receiver_.swap(receiver);
  }

  std::uint64_t frames() const { return frames_.load(std::memory_order_relaxed); }

 private:
  const std::shared_ptr<CertificateGuard> guard_;
  std::atomic<std::uint64_t> frames_{0};
  std::mutex mutex_;  // Protects receiver_ and is held while it is called: it must not block.
  std::shared_ptr<rtc::FrameReceiver> receiver_;
};

}  // namespace sotto
