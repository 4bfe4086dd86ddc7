// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// Log-in, tokens and who am I.
#pragma once

#include "server/base/context.h"

namespace sotto::server {

/// POST /v1/login, POST and GET /v1/tokens, DELETE /v1/tokens/{jti}, GET /v1/me.
class AuthFeature : public Feature {
 public:
  explicit AuthFeature(Context& context);
};

}  // namespace sotto::server
