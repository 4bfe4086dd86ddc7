// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/keys/roster.h"

#include "core/base/cbor.h"

namespace sotto::keys {
namespace {

constexpr std::size_t kCodeGroups = 6;
constexpr std::uint64_t kCodeModulus = 100'000;

void write_id(cbor::Writer& out, const RosterLine& line) {
  out.bytes(line.id ? ByteView(*line.id) : ByteView());
}

}  // namespace

Sha512 roster_hash(std::string_view group, ByteView session, std::uint64_t epoch,
                   const std::vector<RosterLine>& lines) {
  cbor::Writer out;
  out.array(5).text("sotto/roster-hash/v1").text(group).bytes(session).number(epoch);
  out.array(lines.size());
  for (const auto& line : lines) {
    out.array(3).number(line.number).text(line.role == Role::kSender ? "sender" : "viewer");
    write_id(out, line);
  }
  return sha512(out.view());
}

std::string group_code(std::string_view group, ByteView session,
                       const std::vector<RosterLine>& lines) {
  cbor::Writer out;
  out.array(4).text("sotto/group-code/v1").text(group).bytes(session).array(lines.size());
  for (const auto& line : lines) {
    out.array(2).number(line.number);
    write_id(out, line);
  }
  const auto hash = sha512(out.view());
  std::string code;
  for (std::size_t i = 0; i < kCodeGroups; ++i) {
    std::uint64_t number = 0;
    for (std::size_t n = 0; n < 8; ++n) number = (number << 8U) | hash[8 * i + n];
    const auto digits = std::to_string(number % kCodeModulus);
    if (i != 0) code += ' ';
    code += std::string(5 - digits.size(), '0') + digits;
  }
  return code;
}

}  // namespace sotto::keys
