// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// The program: options, signals, and the loop.
#include "core/rtc/source.h"
#include "pipelines/peer/webrtcbin_peer.h"
#include "server/base/files.h"
#include "server/base/gst_log.h"
#include "server/base/log.h"
#include "server/registry/registry.h"
#include "server/server.h"

#include <CLI/CLI.hpp>
#include <glib-unix.h>
#include <gst/gst.h>
#include <nlohmann/json.hpp>
#include <sys/resource.h>

#include <csignal>
#include <iostream>

namespace sotto::server {
namespace {

/// A stop takes no longer than this, whatever clients and cameras do.
constexpr std::chrono::seconds kStopWithin{5};

constexpr const char* kFooter = R"(
Without a configuration everything has a default: a built-in demo camera, HTTPS on port 8443 with a
certificate of a local authority, HTTP on 127.0.0.1:8080, log-in as "admin" with the password in the
file that is named at start.

Examples:
  sotto-server                                    with all defaults
  sotto-server --print-config > sotto.toml        a file to start from
  sotto-server --config sotto.toml --check-config say what is wrong with it
  sotto-server --config sotto.toml
  kill -HUP PID                                   read the file again; viewers stay
  kill PID                                        stop gracefully)";

struct Options {
  std::string config_file;
  std::string listen_report;
  std::string data_dir;
  bool check = false;
  bool print = false;
};

log::Level level_of(const std::string& name) {
  if (name == "error") return log::Level::kError;
  if (name == "warning") return log::Level::kWarning;
  if (name == "debug") return log::Level::kDebug;
  return log::Level::kInfo;
}

void configure_log(const Config& config) {
  log::configure(level_of(config.log_level),
                 config.log_format == "json" ? log::Format::kJson : log::Format::kText);
}

Result<Config> read_config(const Options& options) {
  Result<Config> config = options.config_file.empty() ? Config{} : load_config(options.config_file);
  if (config && !options.data_dir.empty()) config->data_dir = options.data_dir;
  return config;
}

/// Every viewer is some sockets; the usual soft limit of 1024 files ends at 100 of them.
void raise_file_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

/// What somebody who started us by hand wants to know.
void greet(Server& server, const Config& config) {
  const auto addresses = server.addresses();
  std::cout << "sotto-server " SOTTO_VERSION "\n\n  Open:";
  for (const char* kind : {"https", "http"}) {
    if (const auto found = addresses.find(kind); found != addresses.end()) {
      std::cout << "\t" << found->second << "/\n";
    }
  }
  std::cout << "  Log in:\t" << config.admin_name;
  if (const auto file = server.password_file(); !file.empty()) {
    std::cout << ", password in " << file.string();
  }
  std::cout << "\n  Cameras:";
  bool any = false;
  for (const auto& source : server.context().registry.all()) {
    const auto info = source->info();
    std::cout << "\t" << info.id << (info.title.empty() ? "" : " (" + info.title + ")") << "\n";
    any = true;
  }
  std::cout << (any ? "" : "\tnone yet; add some on the admin page\n") << std::endl;
}

/// Lives on the stack of run(); signals reach it through the loop.
struct Running {
  const Options& options;
  Server& server;
  GMainLoop* loop;
  bool stopping = false;

  void reload() const {
    const auto fresh = read_config(options);
    if (!fresh) {
      log::error("config", "not reloaded, the old configuration stays",
                 {{"error", fresh.error().message}});
      return;
    }
    configure_log(*fresh);
    const auto waiting = server.reload(*fresh);
    if (!waiting) {
      log::error("config", "not reloaded, the old configuration stays",
                 {{"error", waiting.error().message}});
      return;
    }
    for (const auto& key : *waiting) {
      log::warning("config", "this change waits for a restart", {{"key", key}});
    }
    log::info("config", "reloaded");
  }

  void stop() {
    if (stopping) {  // Twice: somebody is in a hurry.
      g_main_loop_quit(loop);
      return;
    }
    stopping = true;
    log::info("main", "stopping");
    server.stop(kStopWithin, [main_loop = loop] { g_main_loop_quit(main_loop); });
  }
};

int run(const Options& options) {
  auto config = read_config(options);
  if (!config) {
    std::cerr << "sotto-server: the configuration is not usable:\n"
              << config.error().message << '\n';
    return 2;
  }
  if (options.check) {
    std::cout << "The configuration is good.\n";
    return 0;
  }
  if (options.print) {
    std::cout << print_config(*config);
    return 0;
  }

  configure_log(*config);
  raise_file_limit();
  std::signal(SIGPIPE, SIG_IGN);
  gst_init(nullptr, nullptr);
  log::capture_libraries();

  MainContext loop;
  auto server = Server::start(loop, *config);
  if (!server) {
    std::cerr << "sotto-server: cannot start: " << server.error().message << '\n';
    return 1;
  }
  if (!options.listen_report.empty()) {
    const nlohmann::json report = (*server)->addresses();
    if (const auto written = write_private_file(options.listen_report, report.dump() + '\n');
        !written) {
      std::cerr << "sotto-server: " << written.error().message << '\n';
      return 1;
    }
  }
  greet(**server, *config);

  GMainLoop* main_loop = g_main_loop_new(nullptr, FALSE);
  Running running{options, **server, main_loop};
  const auto stop = [](gpointer data) -> gboolean {
    static_cast<Running*>(data)->stop();
    return G_SOURCE_CONTINUE;
  };
  const auto reload = [](gpointer data) -> gboolean {
    static_cast<Running*>(data)->reload();
    return G_SOURCE_CONTINUE;
  };
  g_unix_signal_add(SIGTERM, stop, &running);
  g_unix_signal_add(SIGINT, stop, &running);
  g_unix_signal_add(SIGHUP, reload, &running);
  g_main_loop_run(main_loop);
  server->reset();
  if (!wait_for_teardown(kStopWithin)) {
    log::warning("main", "a peer connection did not end in time");
  }
  g_main_loop_unref(main_loop);
  log::info("main", "stopped");
  return 0;
}

}  // namespace
}  // namespace sotto::server

int main(int argc, char** argv) {
  sotto::server::Options options;
  CLI::App app("sotto-server: live media from cameras and browsers to browsers.");
  app.footer(sotto::server::kFooter);
  app.add_option("--config", options.config_file, "The configuration, a TOML file")
      ->check(CLI::ExistingFile);
  app.add_flag("--check-config", options.check, "Say what is wrong with the configuration and end");
  app.add_flag("--print-config", options.print,
               "Print the whole configuration with defaults, without secrets, and end");
  app.add_option("--data-dir", options.data_dir,
                 "Where keys, passwords and state are kept (overrides data_dir)");
  app.add_option("--listen-report", options.listen_report,
                 "Write the addresses that are listened on to this file, as one line of JSON");
  app.set_version_flag("--version", "sotto-server " SOTTO_VERSION);
  CLI11_PARSE(app, argc, argv);
  return sotto::server::run(options);
}
