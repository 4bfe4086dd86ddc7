// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "server/base/redact.h"

namespace sotto::server {

std::string redact_urls(std::string_view text) {
  std::string out;
  while (true) {
    const auto scheme = text.find("://");
    if (scheme == std::string_view::npos) return out += text;
    const auto start = scheme + 3;
    // A password may hold an @ that somebody forgot to escape, so the last one before the end of
    // the authority counts. A slash in it would end it here; then nothing after it is a host, and
    // hiding too much is the smaller harm.
    const auto end = text.find_first_of(" \t\r\n\"'<>", start);
    const auto word = text.substr(start, end == std::string_view::npos ? end : end - start);
    const auto at = word.rfind('@');
    const auto colon = word.find(':');
    if (at == std::string_view::npos || colon == std::string_view::npos || colon > at) {
      out += text.substr(0, start);
      text.remove_prefix(start);
      continue;
    }
    out += text.substr(0, start + colon + 1);
    out += "…";
    text.remove_prefix(start + at);
  }
}

}  // namespace sotto::server
