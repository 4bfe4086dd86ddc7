// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Unguessable names, from the system's random generator.
#pragma once

#include "core/base/bytes.h"

#include <cstddef>
#include <cstdint>
#include <string>

namespace sotto {

Bytes random_bytes(std::size_t count);
/// base64url of `bytes` random bytes; 16 bytes are the 128 bits RFC 9725 asks of a session URL.
std::string random_name(std::size_t bytes = 16);
std::uint32_t random_u32();
/// A positive integer below 2^53, which JavaScript holds exactly: ids of the Janus API.
std::uint64_t random_id53();

}  // namespace sotto
