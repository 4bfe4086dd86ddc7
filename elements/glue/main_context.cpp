// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elements/glue/main_context.h"

#include <utility>

#if defined(__SANITIZE_THREAD__)
#include <sanitizer/tsan_interface.h>
#endif

namespace sotto {
namespace {

using Task = std::function<void()>;

// GLib hands a source from thread to thread under locks that ThreadSanitizer cannot see, so the
// order is told to it by hand.
void released(void* task) {
#if defined(__SANITIZE_THREAD__)
  __tsan_release(task);
#else
  (void)task;
#endif
}
void acquired(void* task) {
#if defined(__SANITIZE_THREAD__)
  __tsan_acquire(task);
#else
  (void)task;
#endif
}

gboolean run_once(gpointer data) {
  acquired(data);
  (*static_cast<Task*>(data))();
  return G_SOURCE_REMOVE;
}
gboolean run_again(gpointer data) {
  (*static_cast<Task*>(data))();
  return G_SOURCE_CONTINUE;
}
void drop(gpointer data) { delete static_cast<Task*>(data); }

GSource* attach(GMainContext* context, GSource* source, GSourceFunc run, Task task) {
  auto* owned = new Task(std::move(task));
  released(owned);
  g_source_set_callback(source, run, owned, drop);
  g_source_attach(source, context);
  return source;
}

}  // namespace

MainContext::MainContext(GMainContext* context)
    : context_(g_main_context_ref(context != nullptr ? context : g_main_context_default())) {}

MainContext::~MainContext() { g_main_context_unref(context_); }

void MainContext::post(Task task) {
  GSource* source = g_idle_source_new();
  g_source_set_priority(source, G_PRIORITY_DEFAULT);
  g_source_unref(attach(context_, source, run_once, std::move(task)));
}

MainContext::Timer MainContext::after(std::chrono::milliseconds delay, Task task) {
  Timer timer;
  timer.source_ = attach(context_, g_timeout_source_new(static_cast<guint>(delay.count())),
                         run_once, std::move(task));
  return timer;
}

MainContext::Timer MainContext::every(std::chrono::milliseconds interval, Task task) {
  Timer timer;
  timer.source_ = attach(context_, g_timeout_source_new(static_cast<guint>(interval.count())),
                         run_again, std::move(task));
  return timer;
}

bool MainContext::is_owner() const { return g_main_context_is_owner(context_) != FALSE; }

MainContext::Timer::Timer(Timer&& other) noexcept
    : source_(std::exchange(other.source_, nullptr)) {}

MainContext::Timer& MainContext::Timer::operator=(Timer&& other) noexcept {
  if (this != &other) {
    cancel();
    source_ = std::exchange(other.source_, nullptr);
  }
  return *this;
}

void MainContext::Timer::cancel() {
  if (source_ == nullptr) return;
  g_source_destroy(source_);
  g_source_unref(source_);
  source_ = nullptr;
}

}  // namespace sotto
