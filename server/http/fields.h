// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// HTTP fields (RFC 9110, section 5): lists, the token a client presents, what every answer carries.
#pragma once

#include "server/http/router.h"

#include <string>
#include <string_view>
#include <vector>

namespace sotto::server {

/// Pages load nothing from elsewhere and are framed by nobody else.
constexpr const char* kContentSecurityPolicy =
    "default-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; object-src 'none'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'self'";

bool equals_ignoring_case(std::string_view a, std::string_view b);

/// The items of a comma-separated field, without the white space around them.
std::vector<std::string> split_list(std::string_view text);
std::string join_list(const std::vector<std::string>& items);

/// The token of `Authorization: Bearer`, or of the subprotocol `sotto.bearer.TOKEN`, which is where
/// a browser's WebSocket can put one; empty without.
std::string bearer_token(const HttpRequest& request);

/// Safe defaults the handler did not set itself, and those for pages from `origin` (`*`: from
/// anywhere) unless it is empty. A field with a control character is taken out: it would be
/// somebody's second header.
void add_standard_fields(HttpResponse& response, const std::string& origin);

}  // namespace sotto::server
