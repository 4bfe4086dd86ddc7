// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/agent_server.h"

#include "core/base/scope_exit.h"

#include <poll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>
#include <vector>

namespace sotto::cli {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kBacklog = 16;
constexpr timeval kAnswerWithin{5, 0};  // Of an agent that is commanded.

tl::unexpected<Error> system_error(const std::filesystem::path& path, const char* what) {
  const int number = errno;
  return fail(number == EADDRINUSE ? ErrorCode::kExists : ErrorCode::kIo,
              std::string(what) + " " + path.string() + ": " + std::strerror(number));
}

Result<sockaddr_un> address_of(const std::filesystem::path& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const auto text = path.string();
  if (text.empty() || text.size() >= sizeof address.sun_path) {
    return fail(ErrorCode::kInvalid, "the path of a socket has 1 to 107 bytes");
  }
  std::copy(text.begin(), text.end(), address.sun_path);
  return address;
}

Result<int> connect_to(const std::filesystem::path& path) {
  const auto address = address_of(path);
  if (!address) return tl::unexpected<Error>(address.error());
  const int file = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (file < 0) return system_error(path, "cannot reach");
  const auto* to = reinterpret_cast<const sockaddr*>(&*address);
  if (connect(file, to, sizeof *address) != 0) {
    const auto error = system_error(path, "no key agent listens at");
    close(file);
    return error;
  }
  return file;
}

/// Takes away what a killed agent left, and nothing else.
void remove_left_behind(const std::filesystem::path& path) {
  struct stat facts {};
  if (lstat(path.c_str(), &facts) != 0 || !S_ISSOCK(facts.st_mode)) return;
  const auto file = connect_to(path);
  if (file) {
    close(*file);
  } else {
    unlink(path.c_str());
  }
}

bool is_ours(int socket) {
  ucred peer{};
  socklen_t size = sizeof peer;
  return getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
         (peer.uid == geteuid() || peer.uid == 0);
}

}  // namespace

Result<AgentServer> AgentServer::open(const std::filesystem::path& path, agent::Policy policy,
                                      std::function<Result<agent::Files>()> files) {
  auto read = files();
  if (!read) return tl::unexpected<Error>(read.error());
  auto epochs = agent::Epochs::make(policy, std::move(*read));
  if (!epochs) return tl::unexpected<Error>(epochs.error());
  const auto address = address_of(path);
  if (!address) return tl::unexpected<Error>(address.error());
  remove_left_behind(path);
  const int file = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (file < 0) return system_error(path, "cannot listen at");
  ScopeExit close_file([file] { close(file); });
  const auto before = umask(0177);  // No moment in which others could connect.
  const auto* at = reinterpret_cast<const sockaddr*>(&*address);
  const bool bound = bind(file, at, sizeof *address) == 0;
  umask(before);
  if (!bound || listen(file, kBacklog) != 0) return system_error(path, "cannot listen at");
  close_file.release();
  return AgentServer(file, path, std::move(*epochs), std::move(files));
}

AgentServer::AgentServer(int listener, std::filesystem::path path, agent::Epochs epochs,
                         std::function<Result<agent::Files>()> files)
    : listener_(listener),
      path_(std::move(path)),
      epochs_(std::move(epochs)),
      files_(std::move(files)) {}

AgentServer::AgentServer(AgentServer&& other) noexcept
    : listener_(std::exchange(other.listener_, -1)),
      path_(std::move(other.path_)),
      epochs_(std::move(other.epochs_)),
      files_(std::move(other.files_)),
      note_(std::move(other.note_)),
      connections_(std::exchange(other.connections_, {})),
      last_(other.last_) {}

AgentServer::~AgentServer() {
  if (listener_ < 0) return;
  for (auto& [client, connection] : connections_) close(connection.socket);
  close(listener_);
  unlink(path_.c_str());
}

Result<> AgentServer::run() {
  sigset_t wanted;
  sigemptyset(&wanted);
  for (const int number : {SIGHUP, SIGINT, SIGTERM}) sigaddset(&wanted, number);
  const int signals = signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK);
  if (signals < 0) return system_error(path_, "cannot listen at");
  const ScopeExit close_signals([signals] { close(signals); });
  for (;;) {
    agent::Epochs::Letters letters;
    const auto due = epochs_.tick(Clock::now(), letters);
    if (!due) return tl::unexpected<Error>(due.error());
    deliver(std::move(letters));
    int wait = -1;
    if (*due) {
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(**due - Clock::now()).count();
      wait = static_cast<int>(std::clamp<std::int64_t>(left, 0, 60'000));
    }
    std::vector<pollfd> files{{listener_, POLLIN, 0}, {signals, POLLIN, 0}};
    std::vector<agent::Client> clients;
    for (const auto& [client, connection] : connections_) {
      const int more = connection.waiting.empty() ? 0 : POLLOUT;
      files.push_back({connection.socket, static_cast<short>(POLLIN | more), 0});
      clients.push_back(client);
    }
    if (poll(files.data(), files.size(), wait) < 0 && errno != EINTR) {
      return system_error(path_, "cannot listen at");
    }
    signalfd_siginfo got{};
    if ((files[1].revents & POLLIN) != 0 && ::read(signals, &got, sizeof got) == sizeof got) {
      if (got.ssi_signo != SIGHUP) return {};
      reload();
    }
    for (std::size_t i = 0; i < clients.size(); ++i) {
      const auto events = files[i + 2].revents;
      const auto found = connections_.find(clients[i]);
      if (events == 0 || found == connections_.end()) continue;
      bool good = (events & POLLOUT) == 0 || write(found->second);
      if (good && (events & ~POLLOUT) != 0) good = read(clients[i], found->second);
      if (!good) end(clients[i]);
    }
    if ((files[0].revents & POLLIN) != 0) accept();
  }
}

void AgentServer::accept() {
  const int file = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (file < 0) return;
  // The socket's mode keeps others out; this holds when somebody changed it.
  if (!is_ours(file) || connections_.size() >= kMaxClients) {
    note(connections_.size() >= kMaxClients ? "too many clients: one was sent away"
                                            : "a client of another user was sent away");
    close(file);
    return;
  }
  connections_[++last_].socket = file;
}

bool AgentServer::read(agent::Client client, Connection& connection) {
  const auto room = connection.inbox.room();
  const auto got = recv(connection.socket, room.data(), room.size(), 0);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return true;
  if (got <= 0) return false;
  connection.inbox.received(static_cast<std::size_t>(got));
  for (;;) {
    auto message = connection.inbox.next();
    if (!message) {
      note("a client was sent away: " + message.error().message);
      return false;
    }
    if (!*message) return true;
    agent::Epochs::Letters letters;
    const auto done = epochs_.received(client, **message, Clock::now(), letters);
    deliver(std::move(letters));
    if (!done) {
      note("a client was sent away: " + done.error().message);
      return false;
    }
  }
}

bool AgentServer::write(Connection& connection) {
  while (!connection.waiting.empty()) {
    const auto bytes = connection.waiting.front().view();
    const auto sent = send(connection.socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0) return errno == EAGAIN || errno == EINTR;
    // A Unix socket takes a message of this size whole or not at all.
    if (sent != static_cast<ssize_t>(bytes.size())) return false;
    connection.waiting.pop_front();
  }
  return true;
}

/// In their order: a receiver has an epoch's key before its sender.
void AgentServer::deliver(agent::Epochs::Letters letters) {
  for (auto& letter : letters) {
    const auto found = connections_.find(letter.to);
    if (found == connections_.end()) continue;
    auto& connection = found->second;
    connection.waiting.push_back(std::move(letter.bytes));
    // What fails here is noticed by the next poll; a full queue ends in read().
    if (connection.waiting.size() > kMaxWaiting || !write(connection)) {
      shutdown(connection.socket, SHUT_RDWR);
      connection.waiting.clear();
    }
  }
}

void AgentServer::end(agent::Client client) {
  close(connections_[client].socket);
  connections_.erase(client);
  epochs_.left(client);
}

void AgentServer::reload() {
  auto files = files_();
  agent::Epochs::Letters letters;
  const auto done = files ? epochs_.replace(std::move(*files), Clock::now(), letters)
                          : Result<>(tl::unexpected<Error>(files.error()));
  deliver(std::move(letters));
  note(done ? "new epochs, from the files as they are now"
            : "the keys stay as they were: " + done.error().message);
}

Result<> command_rotation(const std::filesystem::path& path) {
  const auto file = connect_to(path);
  if (!file) return tl::unexpected<Error>(file.error());
  const ScopeExit close_file([&] { close(*file); });
  setsockopt(*file, SOL_SOCKET, SO_RCVTIMEO, &kAnswerWithin, sizeof kAnswerWithin);
  const auto bytes = agent::encode(agent::Rotate{});
  if (send(*file, bytes.view().data(), bytes.size(), MSG_NOSIGNAL) < 0) {
    return system_error(path, "cannot command the key agent at");
  }
  agent::Inbox inbox;
  for (;;) {
    const auto room = inbox.room();
    const auto got = recv(*file, room.data(), room.size(), 0);
    if (got <= 0) return system_error(path, "no answer from the key agent at");
    inbox.received(static_cast<std::size_t>(got));
    const auto message = inbox.next();
    if (!message) return tl::unexpected<Error>(message.error());
    if (*message && std::holds_alternative<agent::Done>(**message)) return {};
  }
}

}  // namespace sotto::cli
