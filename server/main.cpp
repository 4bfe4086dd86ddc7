// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// The program: options, signals, and the loop.
#include "server/base/log.h"
#include "server/server.h"

#include <CLI/CLI.hpp>
#include <glib-unix.h>
#include <gst/gst.h>
#include <nlohmann/json.hpp>

#include <csignal>
#include <fstream>
#include <iostream>

using namespace sotto::server;

namespace {

/// A stop takes no longer than this, whatever clients and cameras do.
constexpr std::chrono::seconds kStopWithin{5};

struct Options {
  std::string listen_report;
  std::string data_dir;
};

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app("sotto-server: live media from cameras and browsers to browsers.");
  app.add_option("--data-dir", options.data_dir, "Where keys and state are kept");
  app.add_option("--listen-report", options.listen_report,
                 "Write the addresses as one line of JSON to this file");
  CLI11_PARSE(app, argc, argv);
  gst_init(nullptr, nullptr);

  Config config;
  if (!options.data_dir.empty()) config.data_dir = options.data_dir;
  sotto::MainContext loop;
  auto server = Server::start(loop, config);
  if (!server) {
    std::cerr << server.error().message << '\n';
    return 1;
  }
  const nlohmann::json report = (*server)->addresses();
  if (!options.listen_report.empty()) std::ofstream(options.listen_report) << report.dump() << '\n';
  GMainLoop* main_loop = g_main_loop_new(nullptr, FALSE);
  struct Stop {
    Server* server;
    GMainLoop* loop;
  } stop{server->get(), main_loop};
  const auto on_signal = [](gpointer data) -> gboolean {
    auto* s = static_cast<Stop*>(data);
    s->server->stop(kStopWithin, [s] { g_main_loop_quit(s->loop); });
    return G_SOURCE_REMOVE;
  };
  g_unix_signal_add(SIGTERM, on_signal, &stop);
  g_unix_signal_add(SIGINT, on_signal, &stop);
  g_main_loop_run(main_loop);
  g_main_loop_unref(main_loop);
  return 0;
}
