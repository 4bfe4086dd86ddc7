// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// Foreign JSON, read with bounds: depth, duplicate keys, several objects in one message.
#pragma once

#include "core/base/error.h"

#include <nlohmann/json.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sotto::server::janus {

using Json = nlohmann::json;

inline constexpr std::size_t kMaxJsonDepth = 32;
/// janus.js sends a handful at a time; a message with more is a mistake or an attack.
inline constexpr std::size_t kMaxObjectsPerMessage = 64;

/// kParse for text that is not JSON, nests deeper than kMaxJsonDepth or names a key twice. The
/// caller bounds the text's length.
Result<Json> parse_json(std::string_view text);

/// Compact; bytes that are not UTF-8 become U+FFFD instead of an exception.
std::string dump(const Json& value);

/// The top-level values of a message that may hold several, e.g. `{…}{…}`. What does not look
/// like an object comes back whole as the last part, for parse_json to refuse. Null when there are
/// more than kMaxObjectsPerMessage.
std::optional<std::vector<std::string_view>> split_objects(std::string_view text);

// Typed members of an object; absent and of another type are told apart.
enum class Member { kAbsent, kWrongType, kPresent };
Member member(const Json& object, const char* key, std::string& out);
Member member(const Json& object, const char* key, bool& out);
/// Integers from 0 to 2^63-1.
Member member(const Json& object, const char* key, std::uint64_t& out);

/// The member or `fallback` when absent or of another type.
std::string text_of(const Json& object, const char* key, std::string fallback = {});

}  // namespace sotto::server::janus
