// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
//
// sotto keys: makes the files that e2ee-encrypt and e2ee-decrypt read, and the links for browsers.
#include "cli/agent_server.h"
#include "cli/command.h"
#include "core/e2ee/key_file.h"

#include <csignal>
#include <iostream>
#include <memory>

namespace sotto::cli {
namespace {

struct AgentOptions {
  std::string file;
  std::string second;
  std::string socket;
  unsigned every = 0;
  std::uint64_t frames = agent::Policy{}.frames;
  unsigned keep = 10;
};

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

int serve(const AgentOptions& options) {
  // Before any thread is made, so that all of them have it.
  sigset_t ours;
  sigemptyset(&ours);
  for (const int number : {SIGHUP, SIGINT, SIGTERM}) sigaddset(&ours, number);
  sigprocmask(SIG_BLOCK, &ours, nullptr);
  const auto files = [options]() -> Result<agent::Files> {
    auto outer = e2ee::read_key_file(options.file);
    if (!outer) return tl::unexpected(outer.error());
    agent::Files out{std::move(*outer), {}};
    if (options.second.empty()) return out;
    auto inner = e2ee::read_key_file(options.second);
    if (!inner) return tl::unexpected(inner.error());
    out.inner = std::move(*inner);
    return out;
  };
  const agent::Policy policy{std::chrono::seconds(options.every), options.frames,
                             std::chrono::seconds(options.keep)};
  auto server = AgentServer::open(options.socket, policy, files);
  if (!server) return report(server.error());
  server->on_note([](const std::string& note) { std::cerr << "Note: " << note << '\n'; });
  std::cerr << "Serving keys at unix:" << options.socket << ". Ctrl-C ends it.\n";
  const auto done = server->run();
  return done ? kOk : report(done.error());
}

void add_agent(CLI::App& command, Action& action) {
  auto options = std::make_shared<AgentOptions>();
  auto* serving = command.add_subcommand("agent", "Give keys with epochs to e2ee elements");
  serving->add_option("FILE", options->file, "The key file")->required();
  serving->add_option("--socket", options->socket, "Path of the Unix socket to make")->required();
  serving->add_option("--second", options->second, "Key file of a second, inner layer");
  serving
      ->add_option("--every", options->every,
                   "Seconds after which a sender gets another key; 0: never")
      ->capture_default_str();
  serving->add_option("--frames", options->frames, "Frames after which it gets another key")
      ->check(CLI::Range(std::uint64_t{1}, std::uint64_t{1} << 32U))
      ->capture_default_str();
  serving
      ->add_option("--keep", options->keep,
                   "Seconds that receivers keep a key after its sender has another")
      ->capture_default_str();
  serving->footer(
      "Elements never hold the file's key, only those of epochs, which are derived from it: an\n"
      "agent on each machine that has the file serves its senders and receivers. Whoever has no\n"
      "agent, a browser with the file's link for one, does not open such a stream.\n"
      "SIGHUP reads the file again, a new one or the same, and begins new epochs.\n\n"
      "Examples:\n"
      "  sotto keys agent garden.key --socket /run/user/1000/garden --every 600\n"
      "  gst-launch-1.0 videotestsrc ! vp8enc deadline=1 ! "
      "e2ee-encrypt key-agent=unix:/run/user/1000/garden ! "
      "whip-sink location=https://server:8443/whip/garden\n"
      "  sotto keys rotate --socket /run/user/1000/garden\n");
  serving->callback([options, &action] { action = [options] { return serve(*options); }; });
  auto* rotation = command.add_subcommand("rotate", "Let a key agent begin new epochs now");
  rotation->add_option("--socket", options->socket, "Path of its Unix socket")->required();
  rotation->callback([options, &action] {
    action = [options] {
      const auto done = command_rotation(options->socket);
      return done ? kOk : report(done.error());
    };
  });
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
  add_agent(*command, action);
}

}  // namespace sotto::cli
