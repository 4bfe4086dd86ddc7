// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// The one description of the configuration file: reader, printer and the test of docs/sotto.toml
// walk it with a visitor each, so a new key is one line in schema.cpp.
#pragma once

#include "server/config/config.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

namespace sotto::server {

/// What a text may be.
struct TextRule {
  enum class Kind {
    kPlain,
    kSecret,  ///< Never printed.
    kUrl,     ///< A password in it is never printed.
    kListen,  ///< host:port, or empty.
    kId,      ///< [a-z0-9-]{1,64}
  };
  Kind kind = Kind::kPlain;
  std::vector<std::string_view> one_of;  ///< Empty: anything.
};

class ConfigVisitor {
 public:
  virtual ~ConfigVisitor() = default;

  virtual void text(const char* key, std::string& value, const TextRule& rule = {}) = 0;
  virtual void texts(const char* key, std::vector<std::string>& values) = 0;
  virtual void flag(const char* key, bool& value) = 0;
  virtual void number(const char* key, std::int64_t& value, std::int64_t min, std::int64_t max) = 0;

  /// A [table]. False: leave it out.
  virtual void enter(const char* key) = 0;
  virtual void leave() = 0;
  /// An array of [[tables]]: how many there are, given how many the value has now.
  virtual std::size_t enter_list(const char* key, std::size_t now) = 0;
  virtual void enter_item(std::size_t index) = 0;
  virtual void leave_item() = 0;
  virtual void leave_list() = 0;

  template <class T>
  void integer(const char* key, T& value, std::int64_t min, std::int64_t max) {
    auto wide = static_cast<std::int64_t>(value);
    number(key, wide, min, max);
    value = static_cast<T>(wide);
  }
  /// The key ends in the unit: _s or _ms.
  template <class Rep, class Period>
  void duration(const char* key, std::chrono::duration<Rep, Period>& value, std::int64_t min,
                std::int64_t max) {
    std::int64_t wide = value.count();
    number(key, wide, min, max);
    value = std::chrono::duration<Rep, Period>(wide);
  }
  template <class T, class Describe>
  void list(const char* key, std::vector<T>& items, Describe describe) {
    items.resize(enter_list(key, items.size()));
    for (std::size_t i = 0; i < items.size(); ++i) {
      enter_item(i);
      describe(items[i]);
      leave_item();
    }
    leave_list();
  }
};

void describe(Config& config, ConfigVisitor& visitor);

/// Every key as the file spells it, e.g. "http.https_listen", "cameras[].id".
std::vector<std::string> config_keys();

}  // namespace sotto::server
