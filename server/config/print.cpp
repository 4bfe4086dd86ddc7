// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// The configuration as TOML, for people and their bug reports: no secrets.
#include "server/base/redact.h"
#include "server/config/schema.h"

#include <array>
#include <cstdio>

namespace sotto::server {
namespace {

constexpr const char* kHidden = "…";

std::string toml_text(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    const auto u = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (u < 0x20 || u == 0x7f) {
      std::array<char, 8> escape{};
      std::snprintf(escape.data(), escape.size(), "\\u%04x", u);
      out += escape.data();
    } else {
      out += c;
    }
  }
  return out + '"';
}

class Printer : public ConfigVisitor {
 public:
  void text(const char* key, std::string& value, const TextRule& rule) override {
    switch (rule.kind) {
      case TextRule::Kind::kSecret: line(key, toml_text(value.empty() ? "" : kHidden)); return;
      case TextRule::Kind::kUrl: line(key, toml_text(redact_urls(value))); return;
      default: line(key, toml_text(value));
    }
  }
  void texts(const char* key, std::vector<std::string>& values) override {
    std::string all;
    for (const auto& value : values) all += (all.empty() ? "" : ", ") + toml_text(value);
    line(key, '[' + all + ']');
  }
  void flag(const char* key, bool& value) override { line(key, value ? "true" : "false"); }
  void number(const char* key, std::int64_t& value, std::int64_t, std::int64_t) override {
    line(key, std::to_string(value));
  }
  void enter(const char* key) override {
    path_.emplace_back(key);
    out += "\n[" + path() + "]\n";
  }
  void leave() override { path_.pop_back(); }
  std::size_t enter_list(const char* key, std::size_t now) override {
    path_.emplace_back(key);
    return now;
  }
  void enter_item(std::size_t) override { out += "\n[[" + path() + "]]\n"; }
  void leave_item() override {}
  void leave_list() override { path_.pop_back(); }

  std::string out;

 private:
  void line(const char* key, const std::string& value) {
    out += std::string(key) + " = " + value + '\n';
  }
  std::string path() const {
    std::string joined;
    for (const auto& part : path_) joined += (joined.empty() ? "" : ".") + part;
    return joined;
  }
  std::vector<std::string> path_;
};

}  // namespace

std::string print_config(const Config& config) {
  Config copy = config;  // Visitors may write; this one does not.
  Printer printer;
  describe(copy, printer);
  return printer.out;
}

}  // namespace sotto::server
