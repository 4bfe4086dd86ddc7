// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// One track of one source, and the viewers it goes to.
//
//   source thread            worker (one per core)                viewers
//   push(frame) ──► ring ──► gate ► number, rewrite ► Sink::send  ──► one
//               │                ├──────────────────► Sink::send  ──► another
//               └► queue of the next worker …
//
// The source never waits: a worker that cannot keep up loses whole frames up to the next
// keyframe, and so does a single viewer whose sink says no.
#pragma once

#include "core/rtc/codec.h"
#include "core/rtc/fanout/rewrite.h"
#include "core/rtc/frame.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace sotto::rtc {

/// Where one viewer's frames of one track leave. Called on the viewer's worker thread only.
class Sink {
 public:
  virtual ~Sink() = default;
  /// Sends the frame, each packet through rewrite.apply(). False: the viewer cannot take it now,
  /// and is fed again from the next keyframe on.
  virtual bool send(const Frame& frame, const Rewrite& rewrite) = 0;
};

struct SubscribeOptions {
  std::uint8_t payload_type = 0;
  std::uint32_t ssrc = 0;  ///< 0 draws one.
  ExtensionMap extensions{};
};

/// What a viewer is given when its line is too thin for everything.
enum class Ration { kEverything, kKeyframesOnly };

struct SubscriptionStats {
  std::uint64_t frames = 0;
  std::uint64_t packets = 0;
  std::uint64_t bytes = 0;
  std::uint64_t dropped_frames =
      0;  ///< Withheld: slow viewer, ration, closed gate, waiting for a keyframe.
  MonotonicTime delay_p50{};  ///< From the frame's arrival to the return of Sink::send.
  MonotonicTime delay_p99{};
};

class Track;

/// A viewer's hold on a track. Destroying it ends the flow: once the destructor returned, the sink
/// is not called again. May be destroyed on any thread but not from inside Sink::send.
class Subscription {
 public:
  virtual ~Subscription() = default;
  /// The rights gate: closed, nothing passes; opened again, the flow starts at a keyframe.
  virtual void set_open(bool open) = 0;
  virtual void set_ration(Ration ration) = 0;
  /// Continues with another track of the same codec from its next keyframe on; the viewer sees
  /// one unbroken stream (main and sub stream of a camera, `switch` of the Janus API).
  virtual void switch_to(std::shared_ptr<Track> track) = 0;
  /// The viewer's PLI or FIR: passed to the source, coalesced over all viewers.
  virtual void request_keyframe() = 0;
  virtual SubscriptionStats stats() const = 0;
};

struct TrackStats {
  std::uint64_t frames = 0;
  std::uint64_t packets = 0;
  std::uint64_t bytes = 0;
  std::uint64_t keyframe_requests = 0;  ///< Those that reached the source.
  std::uint64_t overrun_frames = 0;     ///< Lost because a worker's queue was full.
  MonotonicTime last_frame{};           ///< Arrival of the newest frame; zero before the first.
  std::size_t viewers = 0;
};

/// Bounds of one track. The ring holds what came since the last keyframe, for viewers who join.
struct TrackLimits {
  std::size_t ring_frames = 600;
  std::size_t ring_bytes = 16U << 20U;
  std::chrono::milliseconds keyframe_interval{500};  ///< At most one request to the source in it.
};

class Track : public FrameReceiver {
 public:
  static std::shared_ptr<Track> create(Codec codec, TrackLimits limits = {});

  virtual const Codec& codec() const = 0;
  /// Thread safe. `sink` is kept until the subscription is gone.
  virtual std::unique_ptr<Subscription> subscribe(std::shared_ptr<Sink> sink,
                                                  SubscribeOptions options) = 0;
  /// What to do when a viewer needs a keyframe. Called on a worker or viewer thread, never under a
  /// lock of the track, and at most once per `keyframe_interval`.
  virtual void set_keyframe_requester(std::function<void()> requester) = 0;
  virtual TrackStats stats() const = 0;
};

}  // namespace sotto::rtc
