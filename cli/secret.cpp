// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/secret.h"

#include "core/base/scope_exit.h"

#include <sodium.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <utility>

namespace sotto::cli {
namespace {

Result<std::string> checked(std::string secret, const std::string& origin) {
  while (!secret.empty() && (secret.back() == '\n' || secret.back() == '\r')) secret.pop_back();
  if (secret.empty()) return fail(ErrorCode::kInvalid, origin + " is empty");
  for (const char c : secret) {
    if (static_cast<unsigned char>(c) <= 0x20 || c == 0x7f) {
      return fail(ErrorCode::kInvalid, origin + " must hold one word on one line");
    }
  }
  return secret;
}

}  // namespace

Result<std::string> read_secret(const std::string& file, const char* variable) {
  if (file.empty()) {
    const char* value = std::getenv(variable);
    if (value == nullptr || *value == '\0') return std::string();
    return checked(value, variable);
  }
  std::ifstream in(file, std::ios::binary);
  if (!in) return fail(ErrorCode::kNotFound, "cannot read " + file + "; check its path and rights");
  std::string text(kMaxSecretBytes, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(in.gcount()));
  return checked(std::move(text), file);
}

namespace {

/// Runs `read` while the terminal shows nothing of what is typed.
template <class Read>
auto without_echo(const char* prompt, Read read) -> decltype(read()) {
  termios before{};
  if (tcgetattr(STDIN_FILENO, &before) != 0) {
    return fail(ErrorCode::kUnavailable,
                "there is no terminal to ask at; use a file or the environment");
  }
  auto quiet = before;
  quiet.c_lflag &= ~static_cast<tcflag_t>(ECHO);
  tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
  const ScopeExit restore([&] {
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
    std::cerr << '\n';
  });
  std::cerr << prompt << ": " << std::flush;
  return read();
}

}  // namespace

Result<std::string> ask_secret(const char* prompt) {
  return without_echo(prompt, []() -> Result<std::string> {
    std::string line;
    if (!std::getline(std::cin, line)) return fail(ErrorCode::kInvalid, "nothing was entered");
    return checked(std::move(line), "what was entered");
  });
}

Result<Secret> read_line(int fd, std::size_t longest) {
  Secret line(longest + 1);
  std::size_t size = 0;
  while (size < line.size()) {
    // Byte by byte: what follows the line is somebody else's to read.
    const auto got = read(fd, line.span().data() + size, 1);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail(ErrorCode::kIo, "the file descriptor cannot be read");
    if (got == 0 || line.view()[size] == '\n') {
      if (size == 0) return fail(ErrorCode::kInvalid, "nothing was entered");
      return Secret::copy_of(line.view().first(size));
    }
    ++size;
  }
  return fail(ErrorCode::kTooLarge, "what was entered is too long");
}

Result<Secret> ask_line(const char* prompt, std::size_t longest) {
  return without_echo(prompt, [longest] { return read_line(STDIN_FILENO, longest); });
}

SecretFile::~SecretFile() {
  if (fd_ >= 0) close(fd_);
}
SecretFile::SecretFile(SecretFile&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), path_(std::move(other.path_)) {}
SecretFile& SecretFile::operator=(SecretFile&& other) noexcept {
  std::swap(fd_, other.fd_);
  std::swap(path_, other.path_);
  return *this;
}

Result<SecretFile> SecretFile::make(const std::string& secret) {
  SecretFile file;
  if (secret.empty()) return file;
  file.fd_ = memfd_create("token", MFD_CLOEXEC);
  if (file.fd_ < 0 || fchmod(file.fd_, S_IRUSR | S_IWUSR) != 0 ||
      write(file.fd_, secret.data(), secret.size()) != static_cast<ssize_t>(secret.size())) {
    return fail(ErrorCode::kIo, "cannot keep the token in memory; use --token-file");
  }
  file.path_ = "/proc/self/fd/" + std::to_string(file.fd_);
  return file;
}

Result<SecretFile> access_token(const std::string& file, bool ask) {
  auto secret = ask ? ask_secret("Access token") : read_secret(file, "SOTTO_TOKEN");
  if (!secret) return tl::unexpected(secret.error());
  auto made = SecretFile::make(*secret);
  sodium_memzero(secret->data(), secret->size());
  return made;
}

}  // namespace sotto::cli
