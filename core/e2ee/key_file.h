// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Keys at rest and on their way to people: the key file and the link's fragment, as
// docs/encodings.md, "Keys", gives them.
#pragma once

#include "core/base/secret.h"
#include "core/sframe/suite.h"

#include <filesystem>

namespace sotto::e2ee {

/// Every suite's base key; RFC 9605 leaves the length open.
inline constexpr std::size_t kFileKeySize = 32;

struct FileKey {
  sframe::Suite suite = sframe::kDefaultSuite;
  Secret key;
};

FileKey new_file_key(sframe::Suite suite);

/// Refuses what is not a regular file of mode 0600 or stricter, owned by this user or root.
Result<FileKey> read_key_file(const std::filesystem::path& path);
/// Makes it with mode 0600; never touches a file that is there.
Result<> write_key_file(const std::filesystem::path& path, const FileKey& key);

/// "5.AAEC…", what follows `#k=`. The caller prints it to a person and wipes it.
Secret link_value(const FileKey& key);
Result<FileKey> parse_link_value(ByteView text);

}  // namespace sotto::e2ee
