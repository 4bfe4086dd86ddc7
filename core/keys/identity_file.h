// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A device's identity at rest (docs/encodings.md, "Identity files"): sealed under a passphrase with
// Argon2id, or open for devices that start with nobody there.
#pragma once

#include "core/keys/identity.h"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>

namespace sotto::keys {

/// What deriving the key of a file costs. RFC 9106, 4, second choice: 64 MiB, three passes.
struct FileCost {
  std::uint64_t passes = 3;
  std::uint64_t memory = 64UL << 20U;  ///< Bytes.
};
/// A file that asks for more is refused: it would not be ours.
inline constexpr FileCost kMaxFileCost{16, 1UL << 30U};
inline constexpr std::size_t kMaxIdentityFile = 1024;
inline constexpr std::size_t kMinPassphrase = 8;
inline constexpr std::size_t kMaxPassphrase = 1024;

/// kInvalid: the passphrase is shorter than kMinPassphrase bytes or too long.
Result<Bytes> seal_identity(const FileIdentity& identity, ByteView passphrase, FileCost cost = {});
Result<Secret> print_open_identity(const FileIdentity& identity);

/// What can be told without a passphrase; nothing of a sealed file is authenticated by that.
struct IdentityFacts {
  PublicIdentity pub;
  bool sealed = true;
  FileCost cost;
};
Result<IdentityFacts> identity_facts(ByteView file);
/// kUnauthenticated: another passphrase, or the file was changed. An open file takes none.
Result<std::unique_ptr<FileIdentity>> open_identity(ByteView file, ByteView passphrase);

/// Refuses what is not a regular file of mode 0600 or stricter, owned by this user or root.
Result<Secret> read_private_file(const std::filesystem::path& path, std::size_t longest);
/// Makes it with mode 0600, whole or not at all; never touches a file that is there.
Result<> write_private_file(const std::filesystem::path& path, ByteView content);

}  // namespace sotto::keys
