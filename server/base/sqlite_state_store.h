// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// The state store on SQLite: one table, write-ahead log, durable when put() returns.
#pragma once

#include "server/base/state_store.h"

#include <filesystem>
#include <memory>

namespace sotto::server {

/// Opens or makes `file` (mode 0600). A file that is no database of ours is an error, never
/// overwritten.
Result<std::unique_ptr<StateStore>> open_state_store(const std::filesystem::path& file);

}  // namespace sotto::server
