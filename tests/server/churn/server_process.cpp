// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tests/server/churn/server_process.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <libsoup/soup.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <thread>
#include <utility>

namespace sotto::test {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr auto kStartLimit = 60s;
constexpr auto kStopLimit = 60s;
constexpr auto kPause = 50ms;  // Between two looks at another process, which cannot wake us.

/// A port nobody has now. It may be taken before the server opens it: then the server says so.
std::uint16_t free_port(int type) {
  const int probe = ::socket(AF_INET, type, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  ::bind(probe, reinterpret_cast<sockaddr*>(&address), size);
  getsockname(probe, reinterpret_cast<sockaddr*>(&address), &size);
  ::close(probe);
  return ntohs(address.sin_port);
}

std::string local(std::uint16_t port) { return "127.0.0.1:" + std::to_string(port); }

}  // namespace

ServerProcess::ServerProcess() {
  std::string name = std::filesystem::temp_directory_path() / "sotto-churn-XXXXXX";
  folder_ = mkdtemp(name.data());
  const std::string http = local(free_port(SOCK_STREAM));
  const std::string janus = local(free_port(SOCK_STREAM));
  rtp_port_ = free_port(SOCK_DGRAM);
  http_url_ = "http://" + http;
  janus_url_ = "http://" + janus + "/janus";
  std::ofstream(folder_ / "sotto.toml")
      << "data_dir = \"" << (folder_ / "data").string() << "\"\n"
      << "demo_camera = false\n[http]\nhttps_listen = \"\"\nhttp_listen = \"" << http
      << "\"\n[janus]\nopen = true\nmax_sessions_per_address = 1000\nhttp_listen = \"" << janus
      << "\"\nws_listen = \"" << local(free_port(SOCK_STREAM))
      << "\"\n[[mountpoints]]\nid = \"churn\"\ntype = \"rtp\"\n[[mountpoints.media]]\n"
      << "type = \"video\"\nmid = \"v\"\npt = 96\ncodec = \"vp8\"\nport = " << rtp_port_ << "\n";
  const std::string program = std::string(std::getenv("SOTTO_BUILD_ROOT")) + "/server/sotto-server";
  const std::string config = folder_ / "sotto.toml";
  const std::string log = folder_ / "log";
  std::array<char*, 4> arguments{const_cast<char*>(program.c_str()), const_cast<char*>("--config"),
                                 const_cast<char*>(config.c_str()), nullptr};
  pid_ = fork();
  if (pid_ == 0) {
    // The leaks tracer keeps a record of every object ever made: it would be what grows.
    unsetenv("GST_TRACERS");
    const int file = ::open(log.c_str(), O_CREAT | O_WRONLY | O_APPEND, 0600);
    dup2(file, STDOUT_FILENO);
    dup2(file, STDERR_FILENO);
    execv(program.c_str(), arguments.data());
    _exit(127);
  }
  if (!wait_ready()) stop();
}

ServerProcess::~ServerProcess() {
  stop();
  std::filesystem::remove_all(folder_);
}

bool ServerProcess::running() const { return pid_ > 0 && waitpid(pid_, nullptr, WNOHANG) == 0; }

bool ServerProcess::wait_ready() {
  SoupSession* session = soup_session_new();
  bool ready = false;
  const auto end = Clock::now() + kStartLimit;
  while (!ready && running() && Clock::now() < end) {
    SoupMessage* message = soup_message_new("GET", (http_url_ + "/readyz").c_str());
    GBytes* body = soup_session_send_and_read(session, message, nullptr, nullptr);
    ready = body != nullptr && soup_message_get_status(message) == SOUP_STATUS_OK;
    if (body != nullptr) g_bytes_unref(body);
    g_object_unref(message);
    if (!ready) std::this_thread::sleep_for(kPause);
  }
  g_object_unref(session);
  return ready;
}

std::string ServerProcess::log() const {
  std::ifstream file(folder_ / "log");
  return {std::istreambuf_iterator<char>(file), {}};
}

int ServerProcess::stop() {
  const pid_t pid = std::exchange(pid_, -1);
  if (pid <= 0) return 0;
  ::kill(pid, SIGTERM);
  const auto end = Clock::now() + kStopLimit;
  int status = 0;
  while (Clock::now() < end) {
    const pid_t ended = waitpid(pid, &status, WNOHANG);
    if (ended == pid) return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    if (ended < 0) return -1;
    std::this_thread::sleep_for(kPause);
  }
  ::kill(pid, SIGKILL);
  waitpid(pid, &status, 0);
  return -1;
}

}  // namespace sotto::test
