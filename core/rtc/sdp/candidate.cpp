// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/rtc/sdp/candidate.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <vector>

namespace sotto::rtc::sdp {
namespace {

constexpr std::size_t kMaxCandidateBytes = 1024;
constexpr std::size_t kMaxWords = 40;

std::vector<std::string_view> words_of(std::string_view text) {
  std::vector<std::string_view> words;
  while (words.size() < kMaxWords) {
    const auto start = text.find_first_not_of(' ');
    if (start == std::string_view::npos) break;
    text.remove_prefix(start);
    const auto end = std::min(text.find(' '), text.size());
    words.push_back(text.substr(0, end));
    text.remove_prefix(end);
  }
  return words;
}

std::optional<std::uint32_t> to_number(std::string_view text, std::uint32_t low,
                                       std::uint32_t high) {
  std::uint32_t value = 0;
  const auto* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (text.empty() || error != std::errc{} || stop != end || value < low || value > high) {
    return std::nullopt;
  }
  return value;
}

bool is_transport(std::string_view text, std::string_view wanted) {
  return text.size() == wanted.size() && std::equal(text.begin(), text.end(), wanted.begin(),
                                                    [](char a, char b) { return (a | 0x20) == b; });
}

}  // namespace

Result<IceCandidate> parse_candidate(std::string_view text) {
  const auto bad = [](const char* what) {
    return fail(ErrorCode::kParse, std::string("ICE candidate: bad ") + what);
  };
  if (text.size() > kMaxCandidateBytes)
    return fail(ErrorCode::kTooLarge, "ICE candidate: too long");
  const auto is_control = [](char c) { return static_cast<unsigned char>(c) < 0x20; };
  if (std::any_of(text.begin(), text.end(), is_control)) return bad("character");
  if (text.substr(0, 2) == "a=") text.remove_prefix(2);
  constexpr std::string_view kPrefix = "candidate:";
  if (text.substr(0, kPrefix.size()) != kPrefix) return bad("prefix");
  const auto words = words_of(text.substr(kPrefix.size()));
  if (words.size() < 8) return bad("number of fields");

  IceCandidate candidate;
  candidate.foundation = words[0];
  if (candidate.foundation.size() > 32) return bad("foundation");
  const auto component = to_number(words[1], 1, 256);
  if (!component) return bad("component");
  candidate.component = static_cast<int>(*component);
  candidate.udp = is_transport(words[2], "udp");
  if (!candidate.udp && !is_transport(words[2], "tcp")) return bad("transport");
  const auto priority = to_number(words[3], 0, UINT32_MAX);
  if (!priority) return bad("priority");
  candidate.priority = *priority;
  candidate.address = words[4];
  const auto port = to_number(words[5], 0, 65535);
  if (!port) return bad("port");
  candidate.port = static_cast<std::uint16_t>(*port);
  if (words[6] != "typ") return bad("type");
  candidate.type = words[7];
  constexpr std::array<std::string_view, 4> kTypes = {"host", "srflx", "prflx", "relay"};
  if (std::find(kTypes.begin(), kTypes.end(), candidate.type) == kTypes.end()) return bad("type");
  return candidate;
}

std::string_view unusable(const IceCandidate& candidate) {
  if (!candidate.udp) return "not UDP";
  if (candidate.component != 1) return "RTCP component although rtcp-mux is required";
  if (candidate.port == 0) return "no port";
  in_addr v4{};
  in6_addr v6{};
  if (inet_pton(AF_INET, candidate.address.c_str(), &v4) == 1) {
    if (ntohl(v4.s_addr) == INADDR_ANY) return "unspecified address";
    if (IN_MULTICAST(ntohl(v4.s_addr)) || ntohl(v4.s_addr) == INADDR_BROADCAST) {
      return "multicast address";
    }
    return {};
  }
  if (inet_pton(AF_INET6, candidate.address.c_str(), &v6) == 1) {
    if (IN6_IS_ADDR_UNSPECIFIED(&v6)) return "unspecified address";
    if (IN6_IS_ADDR_MULTICAST(&v6)) return "multicast address";
    if (IN6_IS_ADDR_LINKLOCAL(&v6)) return "link-local address";
    return {};
  }
  return "a name, not an address";
}

bool is_link_local_ipv6(std::string_view address) {
  in6_addr v6{};
  return inet_pton(AF_INET6, std::string(address).c_str(), &v6) == 1 && IN6_IS_ADDR_LINKLOCAL(&v6);
}

}  // namespace sotto::rtc::sdp
