// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// What viewers of one line share: a track in one codec, supplied by whatever can make it.
#pragma once

#include "core/base/error.h"
#include "core/rtc/codec.h"
#include "elements/glue/main_context.h"
#include "pipelines/camera/ingest.h"
#include "pipelines/camera/lead.h"

#include <functional>
#include <map>
#include <memory>
#include <string>

namespace sotto::camera {

/// Lives as long as a feed holds it, through any number of connections. The transcode that may
/// supply it ends with it: the last viewer's leaving stops the encoder. Main context only.
class Output {
 public:
  /// `as_it_came`: the camera's own coded pictures whenever they can be used; otherwise always
  /// decoded and encoded.
  Output(MainContext& loop, rtc::Codec codec, bool as_it_came);
  ~Output();
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;

  const std::shared_ptr<rtc::Track>& track() const { return lead_->track(); }
  const rtc::Codec& codec() const { return track()->codec(); }
  bool as_it_came() const { return as_it_came_; }
  bool transcoding() const { return transcoding_; }
  bool supplied() const { return ingest_ != nullptr; }
  const Lead& lead() const { return *lead_; }

  /// Takes its frames from this stream from now on, in the cheapest way that works. When none
  /// does, every feed's end is told.
  void supply_from(const std::shared_ptr<Ingest>& ingest);
  /// The connection is gone; the track waits for the next.
  void unplug();

  /// Told when the output will carry nothing any more. Returns a handle for forget().
  unsigned on_end(std::function<void(Error)> ended);
  void forget(unsigned handle);
  void end(Error error);

 private:
  void attach(const std::shared_ptr<Ingest>& ingest,
              const std::shared_ptr<rtc::FrameReceiver>& receiver);

  MainContext& loop_;
  const bool as_it_came_;
  bool transcoding_ = false;
  std::shared_ptr<Lead> lead_;
  std::shared_ptr<Ingest> ingest_;
  std::shared_ptr<rtc::FrameReceiver> receiver_;
  std::map<unsigned, std::function<void(Error)>> endings_;
  unsigned next_handle_ = 1;
  std::shared_ptr<Output*> self_;  // Points here while we live.
};

}  // namespace sotto::camera
