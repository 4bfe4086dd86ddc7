// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Who is in a sealed group, as the server says, and the hash that members sign of it
// (docs/encodings.md, "Roster").
#pragma once

#include "core/keys/crypto.h"
#include "core/keys/identity.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace sotto::keys {

using MemberNumber = std::uint16_t;
inline constexpr std::size_t kMaxMembers = 256;

enum class Role : std::uint8_t { kSender, kViewer };

struct RosterEntry {
  MemberNumber number = 0;
  Role role = Role::kViewer;
  Bytes identity;    ///< SPKI; empty when the member gave none.
  Bytes prekeys;     ///< Bundle; empty when the member gave none.
  std::string name;  ///< As the app calls this member, or empty: the server's word or its own list.
};

/// What of an entry is hashed.
struct RosterLine {
  MemberNumber number = 0;
  Role role = Role::kViewer;
  std::optional<IdentityId> id;
};

/// `lines` by rising number.
Sha512 roster_hash(std::string_view group, ByteView session, std::uint64_t epoch,
                   const std::vector<RosterLine>& lines);
/// Six groups of five digits, a space between them.
std::string group_code(std::string_view group, ByteView session,
                       const std::vector<RosterLine>& lines);

}  // namespace sotto::keys
