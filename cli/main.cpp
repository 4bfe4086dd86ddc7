// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
//
// sotto, the command line tool: one file per subcommand.
#include "cli/command.h"

#include <gst/gst.h>

#include <iostream>
#include <string>

namespace {

std::string version_text() {
  guint major = 0;
  guint minor = 0;
  guint micro = 0;
  guint nano = 0;
  gst_version(&major, &minor, &micro, &nano);
  return "sotto " SOTTO_VERSION " (GStreamer " + std::to_string(major) + "." +
         std::to_string(minor) + "." + std::to_string(micro) + ")";
}

}  // namespace

int main(int argc, char** argv) {
  using namespace sotto::cli;
  CLI::App app("Secure real-time media from the command line.", "sotto");
  app.set_version_flag("--version", &version_text, "Print the version and exit");
  app.set_help_all_flag("--help-all", "Print the help of every command and exit");
  app.require_subcommand(1);
  app.footer(
      "Examples:\n"
      "  sotto launch --list                     what can be shown with one line\n"
      "  sotto launch test-to-rtp port=5004      run one of them\n"
      "  sotto publish test --to http://127.0.0.1:8080/whip/demo\n"
      "  sotto publish --help                    more about a command\n");
  Action action;
  add_id(app, action);
  add_keys(app, action);
  add_launch(app, action);
  add_publish(app, action);
  add_watch(app, action);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kOk : kUsage;
  }
  try {
    return action();
  } catch (const std::exception& error) {
    std::cerr << "sotto: this should not have happened: " << error.what() << '\n';
    return kFailed;
  }
}
