// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// Passwords in addresses, made unreadable before somebody prints them.
#pragma once

#include <string>
#include <string_view>

namespace sotto::server {

/// Every scheme://user:password@host in `text` becomes scheme://user:…@host.
std::string redact_urls(std::string_view text);

}  // namespace sotto::server
