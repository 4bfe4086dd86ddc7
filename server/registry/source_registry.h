// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// The registry, with its numbers kept in the state store.
#pragma once

#include "server/base/state_store.h"
#include "server/registry/registry.h"

#include <memory>

namespace sotto::server {

/// `state` must outlive the registry.
std::unique_ptr<Registry> make_registry(StateStore& state);

}  // namespace sotto::server
