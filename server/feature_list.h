// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// The list of features. (Not features.h: that name hides a header of glibc.)
#pragma once

#include "server/base/context.h"

#include <memory>
#include <vector>

namespace sotto::server {

/// Every feature of the server, in the order in which they start; they stop in the reverse order.
std::vector<std::unique_ptr<Feature>> make_features(Context& context);

}  // namespace sotto::server
