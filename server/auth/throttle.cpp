// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "server/auth/throttle.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>

namespace sotto::server {

std::chrono::seconds Throttle::wait(const std::string& key, Clock::time_point now) const {
  const auto entry = entries_.find(key);
  if (entry == entries_.end() || entry->second.until <= now) return std::chrono::seconds(0);
  return std::chrono::ceil<std::chrono::seconds>(entry->second.until - now);
}

void Throttle::failed(const std::string& key, Clock::time_point now) {
  if (entries_.find(key) == entries_.end()) make_room(now);
  Entry& entry = entries_[key];
  if (entry.failures > 0 && now - entry.last > kForgetAfter) entry = Entry{};
  ++entry.failures;
  entry.last = now;
  if (entry.failures <= policy_.free_failures) return;
  const std::size_t doublings =
      std::min<std::size_t>(entry.failures - policy_.free_failures - 1, 20);
  entry.until = now + std::min(std::chrono::seconds(std::int64_t{1} << doublings), policy_.longest);
}

void Throttle::make_room(Clock::time_point now) {
  if (entries_.size() < kMaxEntries) return;
  std::erase_if(entries_, [now](const auto& e) { return now - e.second.last > kForgetAfter; });
  if (entries_.size() < kMaxEntries) return;
  entries_.erase(
      std::min_element(entries_.begin(), entries_.end(),
                       [](const auto& a, const auto& b) { return a.second.last < b.second.last; }));
}

std::string throttle_key(const std::string& address) {
  std::array<unsigned char, 16> bytes{};
  if (inet_pton(AF_INET6, address.c_str(), bytes.data()) != 1) return address;
  std::fill(bytes.begin() + 8, bytes.end(), static_cast<unsigned char>(0));
  std::array<char, INET6_ADDRSTRLEN> text{};
  inet_ntop(AF_INET6, bytes.data(), text.data(), text.size());
  return std::string(text.data()) + "/64";
}

}  // namespace sotto::server
