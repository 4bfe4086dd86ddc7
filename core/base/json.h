// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
//
// JSON from outside: bounded in size and depth, with each key once per object.
#pragma once

#include "core/base/error.h"

#include <nlohmann/json.hpp>

#include <cstddef>
#include <string>
#include <string_view>

namespace sotto {

struct JsonLimits {
  std::size_t max_bytes = 256U << 10U;
  /// Of arrays and objects in each other. Parsers that recurse run out of stack otherwise.
  std::size_t max_depth = 32;
};

/// One JSON value and nothing after it but white space. kTooLarge beyond the limits, kParse for
/// everything that is not strict JSON (RFC 8259), for bytes that are not UTF-8 and for objects that
/// name a key twice: readers disagree about which one counts.
Result<nlohmann::json> parse_json(std::string_view text, const JsonLimits& limits = {});

/// The same, and the value must be an object.
Result<nlohmann::json> parse_json_object(std::string_view text, const JsonLimits& limits = {});

/// The text of a member, or empty when it is missing or of another type.
std::string json_text(const nlohmann::json& object, std::string_view key);

}  // namespace sotto
