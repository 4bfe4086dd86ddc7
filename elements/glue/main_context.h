// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// Hops to another thread's main loop, and timers on it: the one annotated way to do either.
#pragma once

#include <glib.h>

#include <chrono>
#include <functional>
#include <memory>

namespace sotto {

/// A GMainContext that owns some state. All server state is owned by one of these.
class MainContext {
 public:
  /// nullptr: the default context.
  explicit MainContext(GMainContext* context = nullptr);
  ~MainContext();
  MainContext(const MainContext&) = delete;
  MainContext& operator=(const MainContext&) = delete;

  /// Runs `task` on the context's thread, in the order of posting. Thread safe. Never runs it
  /// before returning.
  void post(std::function<void()> task);

  /// A timer that stops when destroyed. Create and destroy on the context's thread.
  class Timer {
   public:
    Timer() = default;
    ~Timer() { cancel(); }
    Timer(Timer&& other) noexcept;
    Timer& operator=(Timer&& other) noexcept;
    void cancel();
    explicit operator bool() const { return source_ != nullptr; }

   private:
    friend class MainContext;
    GSource* source_ = nullptr;
  };
  [[nodiscard]] Timer after(std::chrono::milliseconds delay, std::function<void()> task);
  [[nodiscard]] Timer every(std::chrono::milliseconds interval, std::function<void()> task);

  bool is_owner() const;  ///< True on the thread that runs the context.
  GMainContext* raw() const { return context_; }

 private:
  GMainContext* context_;
};

}  // namespace sotto
