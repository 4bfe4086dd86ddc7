// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// What plugins need to record: a file below the recordings folder, and who hears of it.
#pragma once

#include "core/base/error.h"
#include "core/rtc/fanout/track.h"
#include "pipelines/recording/recorder.h"
#include "pipelines/recording/repair.h"
#include "server/base/context.h"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace sotto::server::janus {

/// One file being written; its destruction finishes it.
class Recording {
 public:
  /// `name` as a client gave it, without extension; `of` is the recorded thing, for people.
  /// `ended` when it ends by itself: a full disk. The events recording.started, .finished and
  /// .failed are published with {of, file}.
  static Result<std::unique_ptr<Recording>> start(Context& server, const std::string& name,
                                                  std::string of,
                                                  std::vector<std::shared_ptr<rtc::Track>> tracks,
                                                  std::function<void()> ended);
  ~Recording();
  Recording(const Recording&) = delete;
  Recording& operator=(const Recording&) = delete;

  void set_paused(bool paused) { recorder_->set_paused(paused); }

 private:
  Recording(Context& server, std::string of) : server_(server), of_(std::move(of)) {}

  Context& server_;
  const std::string of_;
  std::unique_ptr<Recorder> recorder_;
  bool failed_ = false;
};

/// Finishes, in the background, what a crash left unfinished. Before anything is recorded.
std::unique_ptr<recording::Repair> repair_recordings(const Context& server);

/// A name for a recording nobody named: `of` and the time, to the millisecond.
std::string recording_name(const std::string& of);

}  // namespace sotto::server::janus
