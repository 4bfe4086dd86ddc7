// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// Auth with one administrator's password and our own signing key, both kept in data_dir.
#pragma once

#include "elements/glue/main_context.h"
#include "server/auth/auth.h"
#include "server/base/events.h"
#include "server/base/state_store.h"

#include <filesystem>
#include <memory>
#include <string>

namespace sotto::server {

class LocalAuth : public Auth {
 public:
  /// Where the first password was written; empty when the file is gone.
  virtual std::filesystem::path password_file() const = 0;
};

struct LocalAuthOptions {
  std::filesystem::path data_dir;
  std::string admin_name = "admin";
};

/// Makes key, password and hash at the first start. All references must outlive the result.
Result<std::unique_ptr<LocalAuth>> open_local_auth(MainContext& loop, StateStore& state,
                                                   EventBus& events, LocalAuthOptions options);

}  // namespace sotto::server
