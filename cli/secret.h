// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Tokens and passwords from where other users of the machine cannot read them: a file, the
// environment, or a person at the terminal. Never the command line.
#pragma once

#include "core/base/error.h"
#include "core/base/secret.h"

#include <cstddef>
#include <string>

namespace sotto::cli {

constexpr std::size_t kMaxSecretBytes = 16U << 10U;

/// From `file` if given, else from the environment variable, else empty. Without its line end.
Result<std::string> read_secret(const std::string& file, const char* variable);

/// Asks at the terminal, without echo. kUnavailable when there is none.
Result<std::string> ask_secret(const char* prompt);

/// A line from a file descriptor, spaces and all, without its end; kTooLarge beyond `longest`.
Result<Secret> read_line(int fd, std::size_t longest);
/// The same from a person at the terminal, without echo.
Result<Secret> ask_line(const char* prompt, std::size_t longest);

/// A secret as a file that only this process has: elements take file names, not secrets.
class SecretFile {
 public:
  SecretFile() = default;
  ~SecretFile();
  SecretFile(SecretFile&& other) noexcept;
  SecretFile& operator=(SecretFile&& other) noexcept;
  static Result<SecretFile> make(const std::string& secret);
  /// Empty when there is no secret.
  const std::string& path() const { return path_; }

 private:
  int fd_ = -1;
  std::string path_;
};

/// The access token: --token-file, SOTTO_TOKEN, or asked for.
Result<SecretFile> access_token(const std::string& file, bool ask);

}  // namespace sotto::cli
