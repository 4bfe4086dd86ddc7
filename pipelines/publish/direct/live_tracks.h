// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// The tracks of a publisher who serves viewers himself. They outlive the pipelines that feed them:
// an input that broke and came back with the same codecs is a pause to its viewers, not an end.
//
//   PublishGraph ─► fakesink ─► FrameTap ─► rtc::Track ─► one Subscription per viewer
#pragma once

#include "core/rtc/source.h"
#include "elements/glue/main_context.h"
#include "pipelines/publish/graph.h"

#include <functional>
#include <memory>
#include <vector>

namespace sotto {

class LiveTracks {
 public:
  struct Callbacks {
    std::function<void()> ready;  ///< Every track of this pipeline told its codec.
    /// A track came back as something else: whoever watches it has to ask again.
    std::function<void()> changed;
  };

  /// On the default main context, where the callbacks will be. `can_ask`: the input makes a
  /// keyframe when it is asked for one; a camera over RTSP does not.
  LiveTracks(bool can_ask, Callbacks callbacks);
  ~LiveTracks();
  LiveTracks(const LiveTracks&) = delete;
  LiveTracks& operator=(const LiveTracks&) = delete;

  /// What PublishGraph::build() wants.
  TakeTracks taker();
  /// The pipeline is about to go; nothing is called for it any more.
  void detach();

  /// Those with a codec so far.
  std::vector<rtc::FeedTrack> tracks() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

/// Tracks as a Feed; it never ends by itself.
std::unique_ptr<rtc::Feed> make_live_feed(std::vector<rtc::FeedTrack> tracks);

}  // namespace sotto
