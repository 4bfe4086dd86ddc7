// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "server/http/paths.h"

#include <glib.h>

#include <optional>
#include <utility>

namespace sotto::server {
namespace {

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

/// The byte of a %XX escape at `i`, which is moved to its last character.
std::optional<char> unescape(std::string_view raw, std::size_t& i) {
  if (i + 2 >= raw.size()) return std::nullopt;
  const int high = hex_value(raw[i + 1]);
  const int low = hex_value(raw[i + 2]);
  if (high < 0 || low < 0) return std::nullopt;
  i += 2;
  return static_cast<char>(high * 16 + low);
}

bool is_utf8(const std::string& text) {
  return g_utf8_validate(text.data(), static_cast<gssize>(text.size()), nullptr) != FALSE;
}

std::vector<std::string_view> split(std::string_view path) {
  std::vector<std::string_view> parts;
  if (!path.empty() && path.front() == '/') path.remove_prefix(1);
  while (true) {
    const auto slash = path.find('/');
    parts.push_back(path.substr(0, slash));
    if (slash == std::string_view::npos) return parts;
    path.remove_prefix(slash + 1);
  }
}

}  // namespace

Result<std::string> normalise_path(std::string_view raw) {
  if (raw.size() > kMaxPathBytes) return fail(ErrorCode::kTooLarge, "the path is too long");
  if (raw.empty() || raw.front() != '/') return fail(ErrorCode::kInvalid, "a path starts with /");
  std::string path;
  path.reserve(raw.size());
  for (std::size_t i = 0; i < raw.size(); ++i) {
    char c = raw[i];
    if (c == '%') {
      const auto byte = unescape(raw, i);
      if (!byte) return fail(ErrorCode::kInvalid, "a broken % escape in the path");
      if (*byte == '/') return fail(ErrorCode::kInvalid, "an encoded slash in the path");
      c = *byte;
    }
    const auto u = static_cast<unsigned char>(c);
    if (c == '\\' || u < 0x20 || u == 0x7f) {
      return fail(ErrorCode::kInvalid, "a forbidden character in the path");
    }
    path += c;
  }
  if (!is_utf8(path)) return fail(ErrorCode::kInvalid, "the path is not UTF-8");
  const auto parts = split(path);
  if (parts.size() > kMaxPathSegments) return fail(ErrorCode::kTooLarge, "the path is too deep");
  for (const auto part : parts) {
    if (part == "." || part == "..") return fail(ErrorCode::kInvalid, "a dot segment in the path");
  }
  return path;
}

Result<std::map<std::string, std::string>> parse_query(std::string_view raw) {
  std::map<std::string, std::string> fields;
  if (raw.size() > kMaxQueryBytes) return fail(ErrorCode::kTooLarge, "the query is too long");
  std::size_t count = 0;
  while (!raw.empty()) {
    if (++count > kMaxQueryFields) return fail(ErrorCode::kTooLarge, "too many query fields");
    const auto end = raw.find('&');
    const auto field = raw.substr(0, end);
    raw = end == std::string_view::npos ? std::string_view() : raw.substr(end + 1);
    std::string name;
    std::string value;
    bool in_value = false;
    for (std::size_t i = 0; i < field.size(); ++i) {
      char c = field[i];
      if (c == '=' && !in_value) {
        in_value = true;
        continue;
      }
      if (c == '%') {
        const auto byte = unescape(field, i);
        if (!byte) return fail(ErrorCode::kInvalid, "a broken % escape in the query");
        c = *byte;
      } else if (c == '+') {
        c = ' ';
      }
      (in_value ? value : name) += c;
    }
    if (!is_utf8(name) || !is_utf8(value)) {
      return fail(ErrorCode::kInvalid, "the query is not UTF-8");
    }
    if (!name.empty()) fields.emplace(std::move(name), std::move(value));
  }
  return fields;
}

PathPattern::PathPattern(std::string pattern) : text_(std::move(pattern)) {
  for (const auto part : split(text_)) {
    if (part.size() > 5 && part.front() == '{' && part.substr(part.size() - 4) == "...}") {
      parts_.push_back({Kind::kRest, std::string(part.substr(1, part.size() - 5))});
    } else if (part.size() > 2 && part.front() == '{' && part.back() == '}') {
      parts_.push_back({Kind::kName, std::string(part.substr(1, part.size() - 2))});
    } else {
      parts_.push_back({Kind::kWord, std::string(part)});
    }
  }
}

bool PathPattern::match(std::string_view path, std::map<std::string, std::string>& params) const {
  const auto words = split(path);
  params.clear();
  for (std::size_t i = 0; i < parts_.size(); ++i) {
    const Part& part = parts_[i];
    if (part.kind == Kind::kRest) {
      if (i >= words.size()) return false;
      const auto from = static_cast<std::size_t>(words[i].data() - path.data());
      params[part.text] = std::string(path.substr(from));
      return true;
    }
    if (i >= words.size()) return false;
    if (part.kind == Kind::kWord && part.text != words[i]) return false;
    if (part.kind == Kind::kName) {
      if (words[i].empty()) return false;
      params[part.text] = std::string(words[i]);
    }
  }
  return words.size() == parts_.size();
}

std::string PathPattern::rank() const {
  std::string rank;
  for (const auto& part : parts_) {
    switch (part.kind) {
      case Kind::kWord: rank += "0" + part.text + "/"; break;
      case Kind::kName: rank += "1/"; break;
      case Kind::kRest: rank += "2/"; break;
    }
  }
  return rank;
}

}  // namespace sotto::server
