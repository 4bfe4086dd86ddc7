// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// Recordings that a crash left unfinished, made whole at the next start.
//
//   NAME.webm.part ─► matroskademux ─► queue ─► webmmux ─► NAME.webm     (index and duration)
//   NAME.mp4.part  ─► NAME.mp4           (fragments are whole as they are)
#pragma once

#include "core/base/error.h"

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <memory>
#include <vector>

namespace sotto::recording {

/// At one start; those beyond are for the next.
inline constexpr std::size_t kMaxUnfinished = 1000;
/// A file that makes no progress for so long cannot be read, and is left as it is.
inline constexpr std::chrono::seconds kRepairPatience{30};

/// The unfinished recordings below `folder`, none of which is being written: call it before
/// anything is recorded. Empty where there is no such folder.
std::vector<std::filesystem::path> unfinished(const std::filesystem::path& folder);

/// Finishes recordings one after the other on a thread of its own, and ends with the object: a file
/// it is at then stays unfinished.
class Repair {
 public:
  /// On the repair's thread, for each file: the finished one, or why it stays as it is. kNotFound:
  /// there was not one frame in it, and it is gone.
  using Done = std::function<void(const std::filesystem::path& part,
                                  const Result<std::filesystem::path>& finished)>;
  Repair(std::vector<std::filesystem::path> parts, Done done);
  ~Repair();
  Repair(const Repair&) = delete;
  Repair& operator=(const Repair&) = delete;

 private:
  class Work;
  std::unique_ptr<Work> work_;
};

}  // namespace sotto::recording
