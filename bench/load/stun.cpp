// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "bench/load/stun.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <cstring>

namespace sotto::bench::stun {
namespace {

constexpr std::uint32_t kCookie = 0x2112A442;
constexpr std::size_t kHeaderBytes = 20;
constexpr std::size_t kIntegrityBytes = 20;  // HMAC-SHA1
constexpr std::uint32_t kFingerprintMask = 0x5354554E;

enum Attribute : std::uint16_t {
  kUsername = 0x0006,
  kMessageIntegrity = 0x0008,
  kErrorCode = 0x0009,
  kXorMappedAddress = 0x0020,
  kPriority = 0x0024,
  kUseCandidate = 0x0025,
  kFingerprint = 0x8028,
  kIceControlled = 0x8029,
  kIceControlling = 0x802A,
};

std::uint16_t read16(const std::uint8_t* p) {
  return static_cast<std::uint16_t>((p[0] << 8) | p[1]);
}
std::uint32_t read32(const std::uint8_t* p) {
  return (std::uint32_t{read16(p)} << 16) | read16(p + 2);
}

std::array<std::uint8_t, kIntegrityBytes> hmac(std::string_view key, ByteView data) {
  std::array<std::uint8_t, kIntegrityBytes> out{};
  unsigned int size = 0;
  HMAC(EVP_sha1(), key.data(), static_cast<int>(key.size()), data.data(), data.size(), out.data(),
       &size);
  return out;
}

std::uint32_t crc32(ByteView data) {
  static const auto table = [] {
    std::array<std::uint32_t, 256> t{};
    for (std::uint32_t i = 0; i < t.size(); ++i) {
      std::uint32_t c = i;
      for (int bit = 0; bit < 8; ++bit) c = (c & 1U) != 0 ? 0xEDB88320U ^ (c >> 1U) : c >> 1U;
      t[i] = c;
    }
    return t;
  }();
  std::uint32_t crc = 0xFFFFFFFFU;
  for (const std::uint8_t byte : data) crc = table[(crc ^ byte) & 0xFFU] ^ (crc >> 8U);
  return ~crc;
}

class Writer {
 public:
  Writer(Kind kind, const TransactionId& transaction) {
    put16(static_cast<std::uint16_t>(kind));
    put16(0);
    put32(kCookie);
    out_.insert(out_.end(), transaction.begin(), transaction.end());
  }
  void put16(std::uint16_t v) {
    out_.push_back(static_cast<std::uint8_t>(v >> 8U));
    out_.push_back(static_cast<std::uint8_t>(v));
  }
  void put32(std::uint32_t v) {
    put16(static_cast<std::uint16_t>(v >> 16U));
    put16(static_cast<std::uint16_t>(v));
  }
  void attribute(Attribute type, ByteView value) {
    put16(type);
    put16(static_cast<std::uint16_t>(value.size()));
    out_.insert(out_.end(), value.begin(), value.end());
    while (out_.size() % 4 != 0) out_.push_back(0);
  }
  Bytes finish(std::string_view password) {
    // The length counts the attribute that is being computed (RFC 8489, 14.5 and 14.7).
    set_length(out_.size() - kHeaderBytes + 4 + kIntegrityBytes);
    attribute(kMessageIntegrity, hmac(password, out_));
    set_length(out_.size() - kHeaderBytes + 8);
    const std::uint32_t crc = crc32(out_) ^ kFingerprintMask;
    put16(kFingerprint);
    put16(4);
    put32(crc);
    return std::move(out_);
  }

 private:
  void set_length(std::size_t length) {
    out_[2] = static_cast<std::uint8_t>(length >> 8U);
    out_[3] = static_cast<std::uint8_t>(length);
  }
  Bytes out_;
};

bool integrity_matches(ByteView datagram, std::size_t offset, ByteView value,
                       std::string_view password) {
  if (value.size() != kIntegrityBytes) return false;
  Bytes covered(datagram.begin(), datagram.begin() + static_cast<std::ptrdiff_t>(offset));
  const std::size_t length = offset - kHeaderBytes + 4 + kIntegrityBytes;
  covered[2] = static_cast<std::uint8_t>(length >> 8U);
  covered[3] = static_cast<std::uint8_t>(length);
  return equal_constant_time(hmac(password, covered), value);
}

}  // namespace

bool looks_like(ByteView datagram) {
  return datagram.size() >= kHeaderBytes && datagram[0] < 4 &&
         read32(datagram.data() + 4) == kCookie;
}

std::optional<Message> parse(ByteView datagram, std::string_view password) {
  if (!looks_like(datagram)) return std::nullopt;
  const std::size_t length = read16(datagram.data() + 2);
  if (length + kHeaderBytes != datagram.size()) return std::nullopt;
  Message message;
  message.kind = static_cast<Kind>(read16(datagram.data()));
  std::copy_n(datagram.begin() + 8, message.transaction.size(), message.transaction.begin());
  bool authentic = false;
  std::size_t at = kHeaderBytes;
  while (at + 4 <= datagram.size()) {
    const std::uint16_t type = read16(datagram.data() + at);
    const std::size_t size = read16(datagram.data() + at + 2);
    if (at + 4 + size > datagram.size()) return std::nullopt;
    const ByteView value = datagram.subspan(at + 4, size);
    if (type == kUsername) message.username = std::string(as_text(value));
    if (type == kUseCandidate) message.use_candidate = true;
    if (type == kErrorCode && size >= 4) message.error_code = (value[2] & 7) * 100 + value[3];
    if (type == kMessageIntegrity) {
      authentic = integrity_matches(datagram, at, value, password);
      break;  // What follows is not covered; only the fingerprint may.
    }
    at += 4 + ((size + 3) & ~std::size_t{3});
  }
  // An error response may come without integrity (RFC 8489, 9.1.3).
  const bool must_be_authentic = message.kind == Kind::kRequest || message.kind == Kind::kSuccess;
  if (must_be_authentic && !authentic) return std::nullopt;
  return message;
}

Bytes make_request(const Request& request) {
  Writer writer(Kind::kRequest, request.transaction);
  writer.attribute(kUsername, as_bytes(request.username));
  std::array<std::uint8_t, 4> priority{};
  std::array<std::uint8_t, 8> tie{};
  for (std::size_t i = 0; i < priority.size(); ++i)
    priority[i] = static_cast<std::uint8_t>(request.priority >> (24 - 8 * i));
  for (std::size_t i = 0; i < tie.size(); ++i)
    tie[i] = static_cast<std::uint8_t>(request.tie_breaker >> (56 - 8 * i));
  writer.attribute(kPriority, priority);
  writer.attribute(request.controlling ? kIceControlling : kIceControlled, tie);
  if (request.use_candidate) writer.attribute(kUseCandidate, {});
  return writer.finish(request.password);
}

Bytes make_success(const TransactionId& transaction, const sockaddr_in& mapped,
                   std::string_view password) {
  Writer writer(Kind::kSuccess, transaction);
  const std::uint32_t address = ntohl(mapped.sin_addr.s_addr) ^ kCookie;
  const auto port = static_cast<std::uint16_t>(ntohs(mapped.sin_port) ^ (kCookie >> 16U));
  const std::array<std::uint8_t, 8> value{0,
                                          1,
                                          static_cast<std::uint8_t>(port >> 8U),
                                          static_cast<std::uint8_t>(port),
                                          static_cast<std::uint8_t>(address >> 24U),
                                          static_cast<std::uint8_t>(address >> 16U),
                                          static_cast<std::uint8_t>(address >> 8U),
                                          static_cast<std::uint8_t>(address)};
  writer.attribute(kXorMappedAddress, value);
  return writer.finish(password);
}

}  // namespace sotto::bench::stun
