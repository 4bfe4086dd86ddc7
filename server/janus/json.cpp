// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "server/janus/json.h"

#include <set>

namespace sotto::server::janus {

Result<Json> parse_json(std::string_view text) {
  std::vector<std::set<std::string>> keys;
  const char* refused = nullptr;
  auto inspect = [&](int depth, Json::parse_event_t event, Json& parsed) {
    switch (event) {
      case Json::parse_event_t::object_start: keys.emplace_back(); [[fallthrough]];
      case Json::parse_event_t::array_start:
        if (static_cast<std::size_t>(depth) >= kMaxJsonDepth) refused = "nested too deeply";
        break;
      case Json::parse_event_t::object_end:
        if (!keys.empty()) keys.pop_back();
        break;
      case Json::parse_event_t::key:
        if (refused == nullptr && !keys.empty() &&
            !keys.back().insert(parsed.get<std::string>()).second) {
          refused = "a key is named twice";
        }
        break;
      default: break;
    }
    return refused == nullptr;  // From the first refusal on nothing is kept.
  };
  Json value = Json::parse(text, inspect, /*allow_exceptions=*/false);
  if (refused != nullptr) return fail(ErrorCode::kParse, refused);
  if (value.is_discarded()) return fail(ErrorCode::kParse, "not JSON");
  return value;
}

std::string dump(const Json& value) {
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::optional<std::vector<std::string_view>> split_objects(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  std::vector<std::string_view> parts;
  std::size_t at = text.find_first_not_of(kSpace);
  while (at != std::string_view::npos) {
    if (parts.size() == kMaxObjectsPerMessage) return std::nullopt;
    std::size_t end = at;
    if (text[at] == '{') {
      std::size_t depth = 0;
      bool in_string = false;
      for (; end < text.size(); ++end) {
        const char c = text[end];
        if (in_string) {
          if (c == '\\') {
            ++end;
          } else if (c == '"') {
            in_string = false;
          }
        } else if (c == '"') {
          in_string = true;
        } else if (c == '{') {
          ++depth;
        } else if (c == '}' && --depth == 0) {
          break;
        }
      }
      end = end < text.size() ? end + 1 : text.size();
    } else {
      end = text.size();
    }
    parts.push_back(text.substr(at, end - at));
    at = text.find_first_not_of(kSpace, end);
  }
  if (parts.empty()) parts.push_back(text);
  return parts;
}

Member member(const Json& object, const char* key, std::string& out) {
  const auto it = object.find(key);
  if (it == object.end()) return Member::kAbsent;
  if (!it->is_string()) return Member::kWrongType;
  out = it->get<std::string>();
  return Member::kPresent;
}

Member member(const Json& object, const char* key, bool& out) {
  const auto it = object.find(key);
  if (it == object.end()) return Member::kAbsent;
  if (!it->is_boolean()) return Member::kWrongType;
  out = it->get<bool>();
  return Member::kPresent;
}

Member member(const Json& object, const char* key, std::uint64_t& out) {
  const auto it = object.find(key);
  if (it == object.end()) return Member::kAbsent;
  // The parser stores every non-negative integer as unsigned; code may have stored it as signed.
  if (!it->is_number_integer()) return Member::kWrongType;
  if (it->is_number_unsigned()) {
    out = it->get<std::uint64_t>();
    return out <= static_cast<std::uint64_t>(INT64_MAX) ? Member::kPresent : Member::kWrongType;
  }
  if (it->get<std::int64_t>() < 0) return Member::kWrongType;
  out = static_cast<std::uint64_t>(it->get<std::int64_t>());
  return Member::kPresent;
}

std::string text_of(const Json& object, const char* key, std::string fallback) {
  std::string out;
  return member(object, key, out) == Member::kPresent ? out : std::move(fallback);
}

}  // namespace sotto::server::janus
