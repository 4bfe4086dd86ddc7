// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/base/json.h"

#include <set>
#include <utility>
#include <vector>

namespace sotto {
namespace {

/// Depth is counted on the text, before the parser sees it. Brackets in strings do not count.
bool deeper_than(std::string_view text, std::size_t limit) {
  std::size_t depth = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') {
        ++i;
      } else if (c == '"') {
        in_string = false;
      }
    } else if (c == '"') {
      in_string = true;
    } else if (c == '[' || c == '{') {
      if (++depth > limit) return true;
    } else if ((c == ']' || c == '}') && depth > 0) {
      --depth;
    }
  }
  return false;
}

}  // namespace

Result<nlohmann::json> parse_json(std::string_view text, const JsonLimits& limits) {
  if (text.size() > limits.max_bytes) {
    return fail(ErrorCode::kTooLarge,
                "the JSON is larger than " + std::to_string(limits.max_bytes) + " bytes");
  }
  if (deeper_than(text, limits.max_depth)) {
    return fail(ErrorCode::kTooLarge,
                "the JSON is nested deeper than " + std::to_string(limits.max_depth) + " levels");
  }
  using Json = nlohmann::json;
  std::vector<std::set<std::string>> open_objects;
  bool duplicate = false;
  const auto watch = [&](int, Json::parse_event_t event, Json& parsed) {
    switch (event) {
      case Json::parse_event_t::object_start: open_objects.emplace_back(); break;
      case Json::parse_event_t::object_end: open_objects.pop_back(); break;
      case Json::parse_event_t::key:
        duplicate = !open_objects.back().insert(parsed.get<std::string>()).second || duplicate;
        break;
      default: break;
    }
    return true;
  };
  Json value = Json::parse(text.begin(), text.end(), watch, false);
  if (value.is_discarded()) return fail(ErrorCode::kParse, "not valid JSON");
  if (duplicate) return fail(ErrorCode::kParse, "the JSON names a key twice");
  return value;
}

Result<nlohmann::json> parse_json_object(std::string_view text, const JsonLimits& limits) {
  auto value = parse_json(text, limits);
  if (value && !value->is_object()) return fail(ErrorCode::kParse, "not a JSON object");
  return value;
}

std::string json_text(const nlohmann::json& object, std::string_view key) {
  if (!object.is_object()) return {};
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

}  // namespace sotto
