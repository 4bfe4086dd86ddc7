// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/command.h"

#include <glib-unix.h>
#include <gst/gst.h>

#include <csignal>
#include <iostream>

extern "C" {
GST_PLUGIN_STATIC_DECLARE(sotto);
}

namespace sotto::cli {

void start_gstreamer() {
  // libcamera greets everyone who lists cameras.
  g_setenv("LIBCAMERA_LOG_LEVELS", "*:ERROR", FALSE);
  gst_init(nullptr, nullptr);
  GST_PLUGIN_STATIC_REGISTER(sotto);
}

int report(const Error& error) {
  std::cerr << "sotto: " << error.message << '\n';
  return error.code == ErrorCode::kInvalid || error.code == ErrorCode::kParse ? kUsage : kFailed;
}

StopSignals::StopSignals(std::function<void()> stop)
    : stop_(std::move(stop)),
      sources_{g_unix_signal_add(SIGINT, &StopSignals::on_signal, this),
               g_unix_signal_add(SIGTERM, &StopSignals::on_signal, this)} {}

StopSignals::~StopSignals() {
  for (const auto source : sources_) g_source_remove(source);
}

int StopSignals::on_signal(void* self) {
  auto* signals = static_cast<StopSignals*>(self);
  if (std::exchange(signals->asked_, true)) std::_Exit(128 + SIGINT);
  signals->stop_();
  return G_SOURCE_CONTINUE;
}

}  // namespace sotto::cli
