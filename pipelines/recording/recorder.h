// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// Tracks become a file, sound and picture in step, without decoding the picture.
//
//   Track ──Subscription──► lane ─ appsrc ! rtp…depay ! parse ─┐
//   Track ──Subscription──► lane ─ appsrc ! rtp…depay ! parse ─┴► webmmux | mp4mux ! fdsink
//
// Times are the frames' own (Frame::pts), so what the source sent in step stays in step. A muxer
// waits for every track, so one that falls silent is filled: sound with silence, a picture with its
// last keyframe, and the flow goes on at the next keyframe. The file is called NAME.part until it
// is finished. Whatever goes wrong ends the recording and nothing else: tracks never wait for it.
#pragma once

#include "core/base/error.h"
#include "core/rtc/fanout/track.h"
#include "elements/glue/main_context.h"

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <vector>

namespace sotto {

/// Create, use and destroy on `main`'s thread; callbacks come there.
class Recorder {
 public:
  static constexpr std::size_t kMaxTracks = 16;
  /// From the first frame on, for the other tracks to begin. A picture that has not begun by then
  /// is not in the file.
  static constexpr std::chrono::milliseconds kStartPatience{2000};
  /// A track without frames for so long is filled.
  static constexpr std::chrono::milliseconds kSilent{1500};
  /// What may wait for the disk, per track; beyond it frames are left out.
  static constexpr std::size_t kMaxBacklogBytes = 8U << 20U;
  /// For the muxer to write its index.
  static constexpr std::chrono::milliseconds kFinishLimit{8000};

  /// The recording has ended without being told to: the disk is full, or the stream cannot be
  /// written. What was written is kept.
  using Ended = std::function<void(Error)>;
  /// The finished file; kNotFound when not one frame came and there is none.
  using Done = std::function<void(Result<std::filesystem::path>)>;

  /// `base`: the file without its extension, in a folder that exists. kExists when there is such
  /// a file, kIo when it cannot be made, kUnsupported for codecs no file holds.
  static Result<std::unique_ptr<Recorder>> start(MainContext& main, std::filesystem::path base,
                                                 std::vector<std::shared_ptr<rtc::Track>> tracks,
                                                 Ended ended);
  /// Finishes the file, if stop() was not called, in the background.
  ~Recorder();
  Recorder(const Recorder&) = delete;
  Recorder& operator=(const Recorder&) = delete;

  /// Paused time is cut out of the file.
  void set_paused(bool paused);
  /// No frame is taken any more; `done` when the file is finished. Once.
  void stop(Done done = {});

  /// As it will be called when it is finished.
  const std::filesystem::path& file() const;

 private:
  class State;
  explicit Recorder(std::shared_ptr<State> state) : state_(std::move(state)) {}
  std::shared_ptr<State> state_;
};

}  // namespace sotto
