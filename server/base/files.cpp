// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "server/base/files.h"

#include "core/base/random.h"
#include "core/base/scope_exit.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>

namespace sotto::server {
namespace {

tl::unexpected<Error> io(const char* doing, const std::filesystem::path& file) {
  return fail(ErrorCode::kIo,
              std::string("cannot ") + doing + ' ' + file.string() + ": " + std::strerror(errno));
}

Result<std::string> read_file(const std::filesystem::path& file, std::size_t max_bytes,
                              bool want_private) {
  const int fd = ::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) {
    return errno == ENOENT ? fail(ErrorCode::kNotFound, file.string() + " does not exist")
                           : io("open", file);
  }
  const ScopeExit close_fd([fd] { ::close(fd); });
  struct stat info {};
  if (::fstat(fd, &info) != 0) return io("look at", file);
  if (!S_ISREG(info.st_mode)) return fail(ErrorCode::kInvalid, file.string() + " is not a file");
  if (want_private && (info.st_mode & 077U) != 0) {
    return fail(ErrorCode::kDenied,
                file.string() + " may be read by others; run: chmod 600 " + file.string());
  }
  if (info.st_size < 0 || static_cast<std::size_t>(info.st_size) > max_bytes) {
    return fail(ErrorCode::kTooLarge, file.string() + " is too large");
  }
  std::string content(static_cast<std::size_t>(info.st_size), '\0');
  std::size_t done = 0;
  while (done < content.size()) {
    const ssize_t n = ::read(fd, content.data() + done, content.size() - done);
    if (n < 0) return io("read", file);
    if (n == 0) break;
    done += static_cast<std::size_t>(n);
  }
  content.resize(done);
  return content;
}

}  // namespace

Result<> write_private_file(const std::filesystem::path& file, std::string_view content) {
  const std::filesystem::path temporary = file.string() + '.' + random_name(6) + ".new";
  const int fd = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0) return io("make", temporary);
  ScopeExit undo([&temporary] { ::unlink(temporary.c_str()); });
  {
    const ScopeExit close_fd([fd] { ::close(fd); });
    while (!content.empty()) {
      const ssize_t n = ::write(fd, content.data(), content.size());
      if (n <= 0) return io("write", temporary);
      content.remove_prefix(static_cast<std::size_t>(n));
    }
    if (::fsync(fd) != 0) return io("flush", temporary);
  }
  if (::rename(temporary.c_str(), file.c_str()) != 0) return io("rename to", file);
  undo.release();
  return {};
}

Result<std::string> read_small_file(const std::filesystem::path& file, std::size_t max_bytes) {
  return read_file(file, max_bytes, false);
}

Result<std::string> read_private_file(const std::filesystem::path& file, std::size_t max_bytes) {
  return read_file(file, max_bytes, true);
}

Result<> make_private_directory(const std::filesystem::path& directory) {
  std::error_code error;
  if (std::filesystem::is_directory(directory, error)) return {};
  if (directory.has_parent_path()) {
    std::filesystem::create_directories(directory.parent_path(), error);
  }
  if (::mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) return io("make", directory);
  return {};
}

}  // namespace sotto::server
