// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elements/e2ee/agent_client.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <iterator>

namespace sotto {
namespace {

constexpr std::string_view kScheme = "unix:";

}  // namespace

Result<std::string> agent_path(const std::string& address) {
  if (address.rfind(kScheme, 0) != 0 || address.size() == kScheme.size()) {
    return fail(ErrorCode::kInvalid, "key-agent is unix: and the path of its socket");
  }
  auto path = address.substr(kScheme.size());
  if (path.size() >= sizeof(sockaddr_un{}.sun_path)) {
    return fail(ErrorCode::kInvalid, "the path of the key agent's socket is too long");
  }
  return path;
}

AgentClient::AgentClient(std::string path, agent::Role role, Handlers handlers)
    : path_(std::move(path)),
      role_(role),
      handlers_(std::move(handlers)),
      wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      thread_([this] { run(); }) {}

AgentClient::~AgentClient() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_all();
  wake();
  thread_.join();
  close(wake_);
}

AgentClient::Asked* AgentClient::find(const Name& name) {
  const auto found = std::find_if(asked_.begin(), asked_.end(),
                                  [&](const Asked& each) { return each.name == name; });
  return found == asked_.end() ? nullptr : &*found;
}

bool AgentClient::ask(agent::Layer layer, std::uint64_t kid) {
  const Name name{layer, kid};
  std::unique_lock lock(mutex_);
  const auto now = Clock::now();
  if (!connected_ || retired_.count(name) != 0 || retired_.size() >= kMaxRetired) return false;
  if (auto* before = find(name); before != nullptr) {
    if (now - before->at < kAskAgain) return false;
    asked_.erase(asked_.begin() + (before - &asked_.front()));
  }
  if (asked_.size() >= kMaxAsked) asked_.pop_front();
  asked_.push_back({name, now});
  if (!send(agent::Need{layer, kid}) || now < silent_until_) return false;
  const auto answered = [&] {
    const auto* question = find(name);
    return ending_ || !connected_ || question == nullptr || question->answered;
  };
  if (!changed_.wait_until(lock, now + kAnswerWithin, answered)) {
    silent_until_ = Clock::now() + kSilence;
    return false;
  }
  const auto* question = find(name);
  return question != nullptr && question->got;
}

void AgentClient::proven(agent::Layer layer, std::uint64_t kid) {
  const std::lock_guard lock(mutex_);
  for (auto& each : held_) {
    if (each.name == Name{layer, kid}) each.proven = true;
  }
}

/// Notes a key that came; what has to go for it. With the lock held.
std::optional<agent::Drop> AgentClient::hold(const Name& name) {
  const auto same = [&](const Held& each) { return each.name == name; };
  if (std::any_of(held_.begin(), held_.end(), same)) return std::nullopt;
  held_.push_back({name});
  if (held_.size() <= kMaxHeld) return std::nullopt;
  const auto last = std::prev(held_.end());
  const auto unproven =
      std::find_if(held_.begin(), last, [](const Held& each) { return !each.proven; });
  const auto [layer, kid] = (unproven == last ? held_.front() : *unproven).name;
  return agent::Drop{layer, kid, ~0ULL};
}

/// With the lock held.
void AgentClient::let_go(const agent::Drop& drop) {
  const auto meant = [&](const Held& each) {
    return each.name.first == drop.layer && (each.name.second & drop.mask) == drop.kid;
  };
  for (const auto& each : held_) {
    if (meant(each) && each.proven && retired_.size() < kMaxRetired) retired_.insert(each.name);
  }
  held_.erase(std::remove_if(held_.begin(), held_.end(), meant), held_.end());
}

void AgentClient::spent(agent::Layer layer, std::uint64_t kid) {
  const std::lock_guard lock(mutex_);
  if (connected_) (void)send(agent::Spent{layer, kid});
}

bool AgentClient::wait_for_first(std::chrono::milliseconds within) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, within, [this] { return first_ || ending_; }) && first_;
}

/// With the lock held.
bool AgentClient::send(const agent::Message& message) {
  if (outgoing_.size() >= kMaxOutgoing) return false;
  outgoing_.push_back(agent::encode(message));
  wake();
  return true;
}

void AgentClient::wake() {
  const std::uint64_t one = 1;
  (void)!write(wake_, &one, sizeof one);
}

void AgentClient::run() {
  auto rest = kFirstPause;
  while (!ending_) {
    auto why = connect();
    if (why.empty()) {
      rest = kFirstPause;
      {
        const std::lock_guard lock(mutex_);
        connected_ = true;
        outgoing_.clear();
        outgoing_.push_back(agent::encode(agent::Hello{role_}));
      }
      handlers_.changed(true, "");
      why = talk();
      const std::lock_guard lock(mutex_);
      connected_ = false;
      outgoing_.clear();
      asked_.clear();
    }
    changed_.notify_all();
    if (socket_ >= 0) close(std::exchange(socket_, -1));
    if (ending_) return;
    handlers_.changed(false, why);
    if (!pause(rest)) return;
    rest = std::min(2 * rest, kLongestPause);
  }
}

/// Empty when there is a connection; else why not.
std::string AgentClient::connect() {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::copy(path_.begin(), path_.end(), address.sun_path);
  socket_ = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  const auto* to = reinterpret_cast<const sockaddr*>(&address);
  if (socket_ < 0 || ::connect(socket_, to, sizeof address) != 0) return std::strerror(errno);
  ucred peer{};
  socklen_t size = sizeof peer;
  if (getsockopt(socket_, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return std::strerror(errno);
  // Somebody else's keys would be somebody else's to open.
  if (peer.uid != geteuid() && peer.uid != 0) return "the key agent belongs to another user";
  return "";
}

/// Until the connection ends; why it did.
std::string AgentClient::talk() {
  agent::Inbox inbox;
  while (!ending_) {
    bool full = false;
    {
      const std::lock_guard lock(mutex_);
      full = !outgoing_.empty();
    }
    std::array<pollfd, 2> files{
        {{socket_, static_cast<short>(POLLIN | (full ? POLLOUT : 0)), 0}, {wake_, POLLIN, 0}}};
    if (poll(files.data(), files.size(), -1) < 0 && errno != EINTR) return std::strerror(errno);
    std::uint64_t count = 0;
    if ((files[1].revents & POLLIN) != 0) (void)!read(wake_, &count, sizeof count);
    if ((files[0].revents & POLLOUT) != 0 && !flush_outgoing()) return "the key agent went away";
    if ((files[0].revents & (POLLIN | POLLHUP | POLLERR)) == 0) continue;
    const auto room = inbox.room();
    const auto got = recv(socket_, room.data(), room.size(), 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    if (got <= 0) return "the key agent went away";
    inbox.received(static_cast<std::size_t>(got));
    for (;;) {
      auto message = inbox.next();
      if (!message) return message.error().message;
      if (!*message) break;
      hand_on(std::move(**message));
    }
  }
  return "";
}

bool AgentClient::flush_outgoing() {
  const std::lock_guard lock(mutex_);
  while (!outgoing_.empty()) {
    const auto bytes = outgoing_.front().view();
    const auto sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0) return errno == EAGAIN || errno == EINTR;
    // A Unix socket takes a message of this size whole or not at all.
    if (sent != static_cast<ssize_t>(bytes.size())) return false;
    outgoing_.pop_front();
  }
  return true;
}

void AgentClient::hand_on(agent::Message message) {
  std::optional<Name> answer;
  std::optional<agent::Drop> drop;
  bool got = false;
  bool first = false;
  {
    const std::lock_guard lock(mutex_);
    if (const auto* open = std::get_if<agent::OpenWith>(&message)) {
      answer = {open->layer, open->kid};
      got = true;
      if (retired_.count(*answer) != 0) return;
      drop = hold(*answer);
    } else if (const auto* none = std::get_if<agent::None>(&message)) {
      answer = {none->layer, none->kid};
    } else if (const auto* seal = std::get_if<agent::SealWith>(&message)) {
      first = seal->layer == agent::Layer::kOuter;
    } else if (const auto* told = std::get_if<agent::Drop>(&message)) {
      let_go(*told);
    }
    if (drop) let_go(*drop);
  }
  if (drop) handlers_.received(*drop);
  handlers_.received(std::move(message));
  {
    const std::lock_guard lock(mutex_);
    first_ = first_ || first;
    auto* question = answer ? find(*answer) : nullptr;
    if (question != nullptr) {
      question->answered = true;
      question->got = got;
    }
  }
  changed_.notify_all();
}

/// False when it is to end.
bool AgentClient::pause(std::chrono::milliseconds time) {
  std::unique_lock lock(mutex_);
  return !changed_.wait_for(lock, time, [this] { return ending_.load(); });
}

}  // namespace sotto
