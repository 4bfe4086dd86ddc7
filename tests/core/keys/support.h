// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Devices for tests of keys.
#pragma once

#include "core/base/random.h"
#include "core/keys/channel.h"

#include <gtest/gtest.h>

namespace sotto::keys {

inline constexpr WallTime kToday{1'790'000'000};

struct Device {
  std::unique_ptr<FileIdentity> identity = std::move(*FileIdentity::generate());
  Prekeys prekeys = std::move(*Prekeys::generate(*identity, kToday));
  Continuity continuity;
  const IdentityId& id() const { return identity->pub().id(); }
  Bytes spki() const { return {identity->pub().spki().begin(), identity->pub().spki().end()}; }
};

}  // namespace sotto::keys
