// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// A media file becomes frames, at the pace it was recorded.
//
//   filesrc ! parsebin ─┬─► queue ! [h264parse !] rtp…pay ! clocksync ! fakesink ──FrameTap──►
//   receiver
//                       └─► queue ! [decode ! opusenc !] rtpopuspay ! clocksync ! fakesink ──►
//                       receiver
//
// Video is never decoded: H.264, H.265, VP8 and VP9 are sent as they are in the file. Sound that is
// not Opus becomes Opus. The first video and the first audio stream are used.
#pragma once

#include "core/base/error.h"
#include "core/rtc/codec.h"
#include "core/rtc/frame.h"
#include "elements/glue/main_context.h"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace sotto {

/// Create, use and destroy on `loop`'s thread; the callbacks come there too and may destroy it.
class FileReader {
 public:
  /// Finds out what is in the file without playing it. `found` is called once.
  using Found = std::function<void(Result<std::vector<rtc::Codec>>)>;
  static std::unique_ptr<FileReader> probe(MainContext& loop, const std::string& path, Found found);

  /// Gives the receiver of a stream; asked on a streaming thread, once per stream. Null leaves the
  /// stream out.
  using Receivers = std::function<std::shared_ptr<rtc::FrameReceiver>(const rtc::Codec& codec)>;
  /// Once: an empty result at the end of the file, or what is wrong with it.
  using Ended = std::function<void(Result<>)>;
  /// Plays it once. RTP times go on from one play to the next: they are of the monotonic clock.
  static std::unique_ptr<FileReader> play(MainContext& loop, const std::string& path,
                                          Receivers receivers, Ended ended);
  ~FileReader();
  FileReader(const FileReader&) = delete;
  FileReader& operator=(const FileReader&) = delete;

 private:
  class State;
  explicit FileReader(std::shared_ptr<State> state) : state_(std::move(state)) {}
  std::shared_ptr<State> state_;
};

}  // namespace sotto
