// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
//
// sotto launch: runs one of pipelines/*.launch.
#include "cli/command.h"
#include "pipelines/launch/launch_catalog.h"
#include "pipelines/launch/launch_file.h"
#include "pipelines/launch/pipeline_runner.h"

#include <algorithm>
#include <iomanip>
#include <iostream>
#include <memory>
#include <optional>
#include <vector>

namespace sotto::cli {
namespace {

struct Options {
  std::string name;
  std::vector<std::string> values;
  bool list = false;
  bool print = false;
  bool show = false;
  bool check = false;
  bool quiet = false;
};

int list() {
  std::size_t width = 0;
  for (const auto& entry : embedded_launches()) width = std::max(width, entry.name.size());
  for (const auto& entry : embedded_launches()) {
    const auto file = parse_launch_file(entry.text);
    if (!file) return report(file.error());
    std::cout << std::left << std::setw(static_cast<int>(width) + 2) << entry.name << file->summary
              << '\n';
  }
  std::cout << "\nsotto launch --show NAME explains one and lists its values.\n";
  return kOk;
}

int show(const std::string& name, const LaunchFile& file) {
  std::cout << file.comment << "\nDefaults:\n";
  for (const auto& value : file.values) {
    std::cout << "  " << value.name << "="
              << (value.required ? "(must be given: " + value.fallback + ")" : value.fallback)
              << '\n';
  }
  std::cout << "\nRun it:  sotto launch " << name << " [key=value …]\n";
  return kOk;
}

int check(const std::vector<std::string>& words) {
  start_gstreamer();
  if (const auto pipeline = build_pipeline(words); !pipeline) return report(pipeline.error());
  std::cout << "This machine has all it needs.\n";
  return kOk;
}

int run(const LaunchFile& file, const std::vector<std::string>& words, bool quiet) {
  start_gstreamer();
  auto pipeline = build_pipeline(words);
  if (!pipeline) return report(pipeline.error());

  const std::unique_ptr<GMainLoop, void (*)(GMainLoop*)> loop(g_main_loop_new(nullptr, FALSE),
                                                              g_main_loop_unref);
  Result<> result;
  PipelineRunner runner(std::move(*pipeline), [&](Result<> done) {
    result = std::move(done);
    g_main_loop_quit(loop.get());
  });
  runner.on_warning([](const std::string& text) { std::cerr << "Warning: " << text << '\n'; });
  const StopSignals signals([&] {
    if (!quiet) std::cerr << "Ending; once more Ctrl-C ends at once.\n";
    runner.stop();
  });
  if (runner.start() && !quiet) {
    std::cerr << "Running: " << file.summary << " Ctrl-C ends it.\n";
  }
  g_main_loop_run(loop.get());
  return result ? kOk : report(result.error());
}

int launch(const Options& options) {
  if (options.list) return list();
  if (options.name.empty()) {
    return report({ErrorCode::kInvalid, "which one? `sotto launch --list` shows them"});
  }
  const auto text = load_launch(options.name);
  if (!text) return report(text.error());
  const auto file = parse_launch_file(*text);
  if (!file) return report({file.error().code, options.name + ": " + file.error().message});
  if (options.show) return show(options.name, *file);
  const auto arguments = parse_launch_arguments(options.values);
  if (!arguments) return report(arguments.error());
  const auto words = fill_launch_words(*file, *arguments);
  if (!words) {
    return report({words.error().code, words.error().message + "; `sotto launch --show " +
                                           options.name + "` explains them"});
  }
  if (options.print) {
    std::cout << to_shell_command(*words) << '\n';
    return kOk;
  }
  if (options.check) return check(*words);
  return run(*file, *words, options.quiet);
}

}  // namespace

void add_launch(CLI::App& app, Action& action) {
  auto* command = app.add_subcommand("launch", "Run a pipeline from a .launch file");
  auto options = std::make_shared<Options>();
  command->add_option("NAME", options->name, "A name of --list, or a path to a .launch file");
  command->add_option("KEY=VALUE", options->values, "Values for the file's ${key:-default}");
  command->add_flag("--list", options->list, "List what there is");
  command->add_flag("--show", options->show, "Explain NAME: what it shows, its values, defaults");
  command->add_flag("--print", options->print, "Print the gst-launch-1.0 command, do not run it");
  command->add_flag("--check", options->check, "Build the pipeline, do not run it");
  command->add_flag("-q,--quiet", options->quiet, "Say nothing unless something is wrong");
  command->footer(
      "The files are plain gst-launch-1.0 commands: pasted into a shell they do the same, with\n"
      "values taken from shell variables. Ctrl-C ends the stream in good order.\n\n"
      "Examples:\n"
      "  sotto launch --list\n"
      "  sotto launch --show test-to-whip\n"
      "  sotto launch test-to-whip location=https://127.0.0.1:8443/whip/demo\n"
      "  sotto launch --print test-to-rtp port=6004\n"
      "  sotto launch ./mine.launch width=1280\n");
  command->callback([options, &action] { action = [options] { return launch(*options); }; });
}

}  // namespace sotto::cli
