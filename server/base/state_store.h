// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// What the API adds and the process must remember: rows in data_dir/state.db.
#pragma once

#include "core/base/error.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace sotto::server {

/// A small table of (kind, id) → JSON text in SQLite. Main context only; a write is on disk when
/// put() returns.
class StateStore {
 public:
  virtual ~StateStore() = default;
  virtual Result<> put(const std::string& kind, const std::string& id, const std::string& json) = 0;
  virtual std::optional<std::string> get(const std::string& kind, const std::string& id) const = 0;
  virtual Result<> erase(const std::string& kind, const std::string& id) = 0;
  virtual std::vector<std::pair<std::string, std::string>> all(const std::string& kind) const = 0;
};

}  // namespace sotto::server
