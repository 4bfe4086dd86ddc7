// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// The web pages: from inside the program, or from http.web_root while one works on them.
#pragma once

#include "server/base/context.h"

namespace sotto::server {

class PagesFeature : public Feature {
 public:
  explicit PagesFeature(Context& context);
};

}  // namespace sotto::server
