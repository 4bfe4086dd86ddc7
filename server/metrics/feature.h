// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// GET /metrics, and the figures of the process itself.
#pragma once

#include "server/base/context.h"

#include <memory>

namespace sotto::server {

class MetricsFeature : public Feature {
 public:
  explicit MetricsFeature(Context& context);

 private:
  std::shared_ptr<void> events_;
};

}  // namespace sotto::server
