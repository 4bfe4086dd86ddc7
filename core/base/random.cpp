// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/base/random.h"

#include <sodium.h>

namespace sotto {

Bytes random_bytes(std::size_t count) {
  Bytes out(count);
  if (count != 0) randombytes_buf(out.data(), out.size());
  return out;
}

std::string random_name(std::size_t bytes) { return to_base64url(random_bytes(bytes)); }

std::uint32_t random_u32() { return randombytes_random(); }

std::uint64_t random_id53() {
  for (;;) {
    const std::uint64_t high = randombytes_random();
    const std::uint64_t id = ((high << 32U) | randombytes_random()) & ((1ULL << 53U) - 1);
    if (id != 0) return id;
  }
}

}  // namespace sotto
