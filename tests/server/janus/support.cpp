// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tests/server/janus/support.h"

namespace sotto::server::janus::testing {

bool run_until(MainContext& context, const std::function<bool()>& done,
               std::chrono::milliseconds bound) {
  bool late = false;
  const auto timer = context.after(bound, [&] { late = true; });
  while (!done() && !late) g_main_context_iteration(context.raw(), TRUE);
  return done();
}

}  // namespace sotto::server::janus::testing
