// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// Metrics kept by prometheus-cpp, rendered in its text format.
#pragma once

#include "server/metrics/metrics.h"

#include <memory>

namespace sotto::server {

std::unique_ptr<Metrics> make_metrics();

}  // namespace sotto::server
