// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/e2ee/key_file.h"

#include "core/base/scope_exit.h"

#include <fcntl.h>
#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace sotto::e2ee {
namespace {

constexpr std::string_view kLabel = "sotto-key-v1 ";
constexpr std::size_t kEncodedKey = 43;   // base64url of 32 bytes, without padding.
constexpr std::size_t kMaxSuiteText = 5;  // 65535
constexpr std::size_t kMaxFile = kLabel.size() + kMaxSuiteText + 1 + kEncodedKey + 1;
constexpr int kVariant = sodium_base64_VARIANT_URLSAFE_NO_PADDING;

tl::unexpected<Error> system_error(const std::filesystem::path& path, const char* what) {
  const int number = errno;
  const auto code = number == ENOENT   ? ErrorCode::kNotFound
                    : number == EEXIST ? ErrorCode::kExists
                                       : ErrorCode::kIo;
  return fail(code, std::string(what) + " " + path.string() + ": " + std::strerror(number));
}

/// `<suite><separator><key>`. Error texts never quote what was read: it may be a key.
Result<FileKey> parse(ByteView text, char separator) {
  const auto end = std::find(text.begin(), text.end(), static_cast<std::uint8_t>(separator));
  const auto digits = as_text(text.first(static_cast<std::size_t>(end - text.begin())));
  const bool decimal =
      !digits.empty() && digits.size() <= kMaxSuiteText && digits[0] != '0' &&
      std::all_of(digits.begin(), digits.end(), [](char c) { return c >= '0' && c <= '9'; });
  if (end == text.end() || !decimal) return fail(ErrorCode::kParse, "not a sotto key");
  unsigned number = 0;
  for (const char digit : digits) number = number * 10 + static_cast<unsigned>(digit - '0');
  const auto* info =
      number > 0xFFFF ? nullptr : sframe::find_suite(static_cast<std::uint16_t>(number));
  if (info == nullptr) return fail(ErrorCode::kUnsupported, "a key for an unknown cipher suite");
  const auto encoded = text.subspan(digits.size() + 1);
  if (encoded.size() != kEncodedKey) return fail(ErrorCode::kParse, "the key is not 32 bytes long");
  FileKey out{info->suite, Secret(kFileKeySize)};
  std::size_t size = 0;
  Secret again(kEncodedKey + 1);
  const bool good = sodium_base642bin(out.key.span().data(), kFileKeySize,
                                      reinterpret_cast<const char*>(encoded.data()), encoded.size(),
                                      nullptr, &size, nullptr, kVariant) == 0 &&
                    size == kFileKeySize;
  if (!good) return fail(ErrorCode::kParse, "the key is not base64url");
  // Stray bits in the last character would be a second way to write the same key.
  sodium_bin2base64(reinterpret_cast<char*>(again.span().data()), again.size(),
                    out.key.view().data(), kFileKeySize, kVariant);
  if (!equal_constant_time(again.view().first(kEncodedKey), encoded)) {
    return fail(ErrorCode::kParse, "the key is not canonical base64url");
  }
  return out;
}

Secret print(const FileKey& key, std::string_view label, char separator, std::string_view end) {
  const auto head =
      std::string(label) + std::to_string(static_cast<unsigned>(key.suite)) + separator;
  Secret out(head.size() + kEncodedKey + end.size());
  Secret encoded(kEncodedKey + 1);  // libsodium writes a terminating zero.
  sodium_bin2base64(reinterpret_cast<char*>(encoded.span().data()), encoded.size(),
                    key.key.view().data(), key.key.size(), kVariant);
  auto at = std::copy(head.begin(), head.end(), out.span().begin());
  at = std::copy_n(encoded.view().begin(), kEncodedKey, at);
  std::copy(end.begin(), end.end(), at);
  return out;
}

}  // namespace

FileKey new_file_key(sframe::Suite suite) { return {suite, Secret::random(kFileKeySize)}; }

Result<FileKey> read_key_file(const std::filesystem::path& path) {
  // Not blocked by a FIFO put there, nor by a terminal.
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (file < 0) return system_error(path, "cannot read the key file");
  const ScopeExit close_file([file] { close(file); });
  struct stat facts {};
  if (fstat(file, &facts) != 0) return system_error(path, "cannot read the key file");
  if (!S_ISREG(facts.st_mode)) {
    return fail(ErrorCode::kInvalid, path.string() + " is not a regular file");
  }
  if ((facts.st_mode & 077U) != 0) {
    return fail(ErrorCode::kDenied,
                "others can read the key file " + path.string() + "; chmod 600 it");
  }
  if (facts.st_uid != geteuid() && facts.st_uid != 0) {
    return fail(ErrorCode::kDenied, "the key file " + path.string() + " belongs to somebody else");
  }
  Secret text(kMaxFile + 1);  // One more, to notice a longer file.
  std::size_t size = 0;
  while (size < text.size()) {
    const auto got = read(file, text.span().data() + size, text.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return system_error(path, "cannot read the key file");
    if (got == 0) break;
    size += static_cast<std::size_t>(got);
  }
  auto content = text.view().first(size);
  const auto wrong = [&](const std::string& why) {
    return fail(ErrorCode::kParse, path.string() + " is not a key file: " + why);
  };
  if (size > kMaxFile || size < kLabel.size() || as_text(content.first(kLabel.size())) != kLabel ||
      content.back() != '\n') {
    return wrong("it is one line `sotto-key-v1 <suite> <key>`; `sotto keys new` writes one");
  }
  auto key = parse(content.subspan(kLabel.size(), size - kLabel.size() - 1), ' ');
  if (!key) return wrong(key.error().message);
  return key;
}

Result<> write_key_file(const std::filesystem::path& path, const FileKey& key) {
  const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (file < 0) return system_error(path, "cannot make the key file");
  ScopeExit remove([&] { unlink(path.c_str()); });
  const ScopeExit close_file([file] { close(file); });
  const auto text = print(key, kLabel, ' ', "\n");
  if (fchmod(file, 0600) != 0 ||
      write(file, text.view().data(), text.size()) != static_cast<ssize_t>(text.size()) ||
      fsync(file) != 0) {
    return system_error(path, "cannot write the key file");
  }
  remove.release();
  return {};
}

Secret link_value(const FileKey& key) { return print(key, "", '.', ""); }

Result<FileKey> parse_link_value(ByteView text) { return parse(text, '.'); }

}  // namespace sotto::e2ee
