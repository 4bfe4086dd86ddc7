// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
//
// sotto keys: makes the files that e2ee-encrypt and e2ee-decrypt read, and the links for browsers.
#include "cli/command.h"
#include "core/e2ee/key_file.h"

#include <iostream>
#include <memory>

namespace sotto::cli {
namespace {

struct Options {
  std::string file;
  std::string second;
  std::string page;
  unsigned suite = static_cast<unsigned>(sframe::kDefaultSuite);
};

/// The link's part behind `#`, which no browser sends to a server.
int print_link(const Options& options, const e2ee::FileKey& key) {
  if (options.page.find('#') != std::string::npos) {
    return report({ErrorCode::kInvalid, "--page is the address without its # part"});
  }
  Secret second_value;
  if (!options.second.empty()) {
    const auto second = e2ee::read_key_file(options.second);
    if (!second) return report(second.error());
    second_value = e2ee::link_value(*second);
  }
  const auto value = e2ee::link_value(key);
  std::cout << options.page << "#k=" << as_text(value.view());
  if (!second_value.empty()) std::cout << "&k2=" << as_text(second_value.view());
  std::cout << std::endl;
  return kOk;
}

int make(const Options& options) {
  const auto* info = sframe::find_suite(static_cast<std::uint16_t>(options.suite));
  if (info == nullptr) return report({ErrorCode::kInvalid, "no such cipher suite"});
  const auto key = e2ee::new_file_key(info->suite);
  if (auto done = e2ee::write_key_file(options.file, key); !done) return report(done.error());
  std::cerr << "The key is in " << options.file << " (" << info->name
            << "). Whoever has the file or this link sees the stream:\n";
  return print_link(options, key);
}

int link(const Options& options) {
  const auto key = e2ee::read_key_file(options.file);
  return key ? print_link(options, *key) : report(key.error());
}

}  // namespace

void add_keys(CLI::App& app, Action& action) {
  auto* command = app.add_subcommand("keys", "Make keys for streams sealed end to end");
  command->require_subcommand(1);
  auto options = std::make_shared<Options>();
  const auto common = [&](CLI::App* sub) {
    sub->add_option("FILE", options->file, "The key file")->required();
    sub->add_option("--page", options->page,
                    "Address of the page that shows the stream; the link is printed whole");
    sub->add_option("--second", options->second, "Key file of a second, inner layer for the link");
  };
  auto* fresh = command->add_subcommand("new", "Write a new key file and print its link");
  common(fresh);
  fresh
      ->add_option("--suite", options->suite,
                   "4: AES-128-GCM, 5: AES-256-GCM, 61441: ChaCha20-Poly1305 (not in browsers)")
      ->check(CLI::IsMember({4U, 5U, 61441U}))
      ->capture_default_str();
  fresh->footer(
      "The file is readable by you alone and never overwritten. What stands behind the # of the\n"
      "link is not sent to the server; who sends the link through others shows it to them.\n\n"
      "Examples:\n"
      "  sotto keys new garden.key --page \"https://server:8443/watch.html?id=garden\"\n"
      "  gst-launch-1.0 videotestsrc ! vp8enc deadline=1 ! e2ee-encrypt key-file=garden.key ! "
      "whip-sink location=https://server:8443/whip/garden\n");
  fresh->callback([options, &action] { action = [options] { return make(*options); }; });
  auto* again = command->add_subcommand("link", "Print the link of a key file");
  common(again);
  again->callback([options, &action] { action = [options] { return link(*options); }; });
}

}  // namespace sotto::cli
