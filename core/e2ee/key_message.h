// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
//
// One base key on its way between programs: the CBOR array ["sotto/key/v1", suite, KID, base key]
// (docs/encodings.md, "Key message").
#pragma once

#include "core/base/secret.h"
#include "core/sframe/suite.h"

#include <cstdint>

namespace sotto::e2ee {

struct KeyMessage {
  sframe::Suite suite = sframe::kDefaultSuite;
  std::uint64_t kid = 0;
  Secret key;  ///< 16 to 64 bytes.
};

Secret print(const KeyMessage& message);
/// Takes the one deterministic encoding (RFC 8949, 4.2.1) and nothing behind it.
Result<KeyMessage> parse_key_message(ByteView bytes);

}  // namespace sotto::e2ee
