// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What a subcommand is: it adds itself to the parser and leaves behind what is to be run.
#pragma once

#include "core/base/error.h"

#include <CLI/CLI.hpp>

#include <functional>
#include <string>

namespace sotto::cli {

/// Exit codes, the same for every subcommand.
constexpr int kOk = 0;
constexpr int kFailed = 1;  ///< It ran and failed; standard error says why and what to do.
constexpr int kUsage = 2;   ///< The command line makes no sense.

/// Set by the chosen subcommand while the command line is parsed, run afterwards.
using Action = std::function<int()>;

void add_id(CLI::App& app, Action& action);
void add_keys(CLI::App& app, Action& action);
void add_launch(CLI::App& app, Action& action);
void add_publish(CLI::App& app, Action& action);
void add_watch(CLI::App& app, Action& action);

/// Loads GStreamer and this project's elements, which are part of the program.
void start_gstreamer();

/// Prints "sotto: message" to standard error; returns the exit code.
int report(const Error& error);

/// Calls `stop` on the first SIGINT or SIGTERM; the second ends the program at once.
class StopSignals {
 public:
  explicit StopSignals(std::function<void()> stop);
  ~StopSignals();
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;

 private:
  static int on_signal(void* self);
  std::function<void()> stop_;
  unsigned sources_[2] = {0, 0};
  bool asked_ = false;
};

}  // namespace sotto::cli
