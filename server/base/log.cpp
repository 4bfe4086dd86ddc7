// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "server/base/log.h"

#include <nlohmann/json.hpp>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <ctime>

namespace sotto::server::log {
namespace {

std::atomic<Level> threshold{Level::kInfo};
std::atomic<Format> format{Format::kText};

std::string_view name_of(Level level) {
  switch (level) {
    case Level::kError: return "error";
    case Level::kWarning: return "warning";
    case Level::kInfo: return "info";
    case Level::kDebug: return "debug";
  }
  return "error";
}

/// RFC 3339 with milliseconds, UTC.
std::string now_text() {
  const auto now = std::chrono::system_clock::now();
  const auto ms =
      std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count() % 1000;
  const std::time_t seconds = std::chrono::system_clock::to_time_t(now);
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  std::array<char, 40> text{};
  const std::size_t n = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S", &utc);
  std::string out(text.data(), n);
  std::string fraction = std::to_string(ms);
  return out + '.' + std::string(3 - fraction.size(), '0') + fraction + 'Z';
}

std::string to_json(std::string_view text) {
  // Bytes that are not UTF-8 come from peers; they are replaced, never a reason to lose the line.
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

/// A word without spaces, quotes or control characters stands as it is; all else as a JSON string,
/// so that a peer cannot make up a second line or field.
std::string quote(std::string_view text) {
  if (text.empty()) return "\"\"";
  for (const char c : text) {
    const auto u = static_cast<unsigned char>(c);
    if (u <= 0x20 || u >= 0x7f || c == '"' || c == '\\' || c == '=') return to_json(text);
  }
  return std::string(text);
}

/// The message itself keeps its spaces, but loses what could forge another line.
std::string one_line(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) out += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? ' ' : c;
  return out;
}

}  // namespace

void configure(Level new_threshold, Format new_format) {
  threshold = new_threshold;
  format = new_format;
}

void write(Level level, std::string_view module, std::string_view message, Fields fields) {
  if (level > threshold.load(std::memory_order_relaxed)) return;
  std::string line;
  if (format.load(std::memory_order_relaxed) == Format::kJson) {
    line = "{\"time\":\"" + now_text() + "\",\"level\":\"" + std::string(name_of(level)) +
           "\",\"module\":" + to_json(module) + ",\"message\":" + to_json(message);
    for (const auto& [key, value] : fields) line += "," + to_json(key) + ":" + to_json(value);
    line += "}\n";
  } else {
    line = now_text() + ' ' + std::string(name_of(level)) + ' ' + std::string(module) + ": " +
           one_line(message);
    for (const auto& [key, value] : fields) line += ' ' + std::string(key) + '=' + quote(value);
    line += '\n';
  }
  // One write per line: threads' lines do not mix. What cannot be written is lost on purpose.
  std::size_t done = 0;
  while (done < line.size()) {
    const ssize_t n = ::write(STDERR_FILENO, line.data() + done, line.size() - done);
    if (n <= 0) return;
    done += static_cast<std::size_t>(n);
  }
}

}  // namespace sotto::server::log
