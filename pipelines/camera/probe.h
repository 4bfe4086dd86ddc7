// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// Opens a camera for a moment to tell what it sends, or why it does not.
#pragma once

#include "core/base/error.h"
#include "elements/glue/main_context.h"
#include "pipelines/camera/options.h"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace sotto::camera {

struct ProbedTrack {
  std::string kind;  ///< "video" or "audio".
  std::string codec;
  int width = 0;  ///< Video; zero where no picture came in time.
  int height = 0;
  double fps = 0;
  std::string note;  ///< What will have to be done about it: B-frames.
};

/// Calls `done` once on the main context, within the patience for connecting and a few seconds.
/// Dropping the returned handle gives up: `done` is not called then.
std::shared_ptr<void> probe(MainContext& loop, const Address& address, const Patience& patience,
                            std::function<void(Result<std::vector<ProbedTrack>>)> done);

}  // namespace sotto::camera
