// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// What may be watched.
#pragma once

#include "server/base/context.h"

namespace sotto::server {

/// GET /v1/sources: the registry, as far as the one who asks may see it.
class SourcesFeature : public Feature {
 public:
  explicit SourcesFeature(Context& context);
};

}  // namespace sotto::server
