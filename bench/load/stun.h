// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// STUN Binding messages as ICE uses them (RFC 8489, RFC 8445), and nothing else of STUN.
#pragma once

#include "core/base/bytes.h"

#include <netinet/in.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string>

namespace sotto::bench::stun {

using TransactionId = std::array<std::uint8_t, 12>;

enum class Kind : std::uint16_t {
  kRequest = 0x0001,
  kIndication = 0x0011,
  kSuccess = 0x0101,
  kError = 0x0111
};

/// What a received message says, after its integrity was checked where it must have one.
struct Message {
  Kind kind = Kind::kRequest;
  TransactionId transaction{};
  std::string username;
  bool use_candidate = false;
  int error_code = 0;
};

/// True for anything that the first byte and the magic cookie give away as STUN.
bool looks_like(ByteView datagram);

/// Nothing for malformed messages, and for requests and responses whose MESSAGE-INTEGRITY does
/// not match `password`.
std::optional<Message> parse(ByteView datagram, std::string_view password);

struct Request {
  TransactionId transaction{};
  std::string username;  ///< remote fragment ':' local fragment
  std::string password;  ///< The remote one.
  std::uint32_t priority = 0;
  std::uint64_t tie_breaker = 0;
  bool controlling = false;
  bool use_candidate = false;
};
Bytes make_request(const Request& request);
Bytes make_success(const TransactionId& transaction, const sockaddr_in& mapped,
                   std::string_view password);

}  // namespace sotto::bench::stun
