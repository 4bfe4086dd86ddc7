// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
//
// P-256 keys as OpenSSL wants them, from points and scalars of fixed length.
#pragma once

#include "core/base/secret.h"

#include <memory>

struct evp_pkey_st;

namespace sotto::keys {

struct FreePkey {
  void operator()(evp_pkey_st* key) const;
};
using Pkey = std::unique_ptr<evp_pkey_st, FreePkey>;

/// 04, X, Y; refused when it is not on the curve.
Result<Pkey> p256_public(ByteView point);
/// The scalar in 32 bytes, 1 to n - 1.
Result<Pkey> p256_private(ByteView scalar);
Result<Pkey> p256_generate();
/// 04, X, Y.
Result<Bytes> p256_point(evp_pkey_st* key);
/// 32 bytes.
Result<Secret> p256_scalar(evp_pkey_st* key);

}  // namespace sotto::keys
