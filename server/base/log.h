// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// Structured logs: one line, one event, fields apart from the words.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace sotto::server::log {

enum class Level {
  kError,
  kWarning,
  kInfo,
  kDebug
};  // Stream dies; peer misbehaves; life cycle; decision.

using Fields = std::initializer_list<std::pair<std::string_view, std::string>>;

/// `module` is the folder's name: http, auth, janus, whip … Fields are escaped; never pass secrets.
void write(Level level, std::string_view module, std::string_view message, Fields fields = {});

inline void error(std::string_view m, std::string_view t, Fields f = {}) {
  write(Level::kError, m, t, f);
}
inline void warning(std::string_view m, std::string_view t, Fields f = {}) {
  write(Level::kWarning, m, t, f);
}
inline void info(std::string_view m, std::string_view t, Fields f = {}) {
  write(Level::kInfo, m, t, f);
}
inline void debug(std::string_view m, std::string_view t, Fields f = {}) {
  write(Level::kDebug, m, t, f);
}

/// Text for people or one JSON object per line.
enum class Format { kText, kJson };
void configure(Level threshold, Format format);

}  // namespace sotto::server::log
