// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// Paths: made safe once, then matched against patterns.
#pragma once

#include "core/base/error.h"

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace sotto::server {

constexpr std::size_t kMaxPathBytes = 2048;
constexpr std::size_t kMaxPathSegments = 32;
constexpr std::size_t kMaxQueryBytes = 8192;
constexpr std::size_t kMaxQueryFields = 64;

/// Percent-decodes a path exactly once. Refused, because somebody behind us would read them
/// another way: encoded slashes, backslashes, control characters, dot segments in any spelling,
/// bytes that are not UTF-8, and broken escapes. "//" and a trailing "/" stand for themselves.
Result<std::string> normalise_path(std::string_view raw);

/// application/x-www-form-urlencoded, as in a query. A repeated name keeps its first value.
Result<std::map<std::string, std::string>> parse_query(std::string_view raw);

/// "/v1/tokens/{jti}", "/janus/{rest...}".
class PathPattern {
 public:
  explicit PathPattern(std::string pattern);
  /// True when it fits; fills `params`.
  bool match(std::string_view path, std::map<std::string, std::string>& params) const;
  /// Fixed words before names before {rest...}: compares equal only for patterns that fit the same
  /// paths.
  std::string rank() const;
  const std::string& text() const { return text_; }

 private:
  enum class Kind { kWord, kName, kRest };
  struct Part {
    Kind kind;
    std::string text;
  };
  std::string text_;
  std::vector<Part> parts_;
};

}  // namespace sotto::server
