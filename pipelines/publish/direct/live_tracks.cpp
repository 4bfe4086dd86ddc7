// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "pipelines/publish/direct/live_tracks.h"

#include "pipelines/camera/stream_info.h"
#include "pipelines/fanout/frame_tap.h"

#include <algorithm>
#include <map>
#include <mutex>
#include <string>
#include <utility>

namespace sotto {

// Shared with the probes of a pipeline, which may outlive us by a moment.
struct LiveTracks::State : std::enable_shared_from_this<State> {
  const bool can_ask;
  const Callbacks callbacks;
  MainContext loop;

  mutable std::mutex mutex;  // Protects what follows; no tap is closed under it.
  std::map<rtc::MediaKind, std::shared_ptr<rtc::Track>> tracks;
  std::vector<std::shared_ptr<FrameTap>> taps;
  std::vector<GstPad*> silent;  // Pads of the present pipeline without caps; only compared.
  unsigned pipeline = 0;        // The present one; others are not listened to.
  bool gone = false;

  State(bool asks, Callbacks told) : can_ask(asks), callbacks(std::move(told)) {}

  /// What the probe of one pad refers to.
  struct CapsProbe {
    std::weak_ptr<State> state;
    unsigned pipeline;
  };

  Result<> take(unsigned number, GstBin* bin, const std::vector<PublishTrackEnd>& ends);
  void take_caps(GstPad* pad, GstCaps* caps, unsigned of);
  void tell(const std::function<void()>& callback) {
    loop.post([weak = weak_from_this(), callback] {
      const auto self = weak.lock();
      if (!self) return;
      {
        const std::lock_guard lock(self->mutex);
        if (self->gone) return;
      }
      callback();
    });
  }
};

Result<> LiveTracks::State::take(unsigned number, GstBin* bin,
                                 const std::vector<PublishTrackEnd>& ends) {
  for (const auto& end : ends) {
    auto sink = GstPtr<GstElement>::sink(gst_element_factory_make("fakesink", nullptr));
    if (!sink) return fail(ErrorCode::kUnsupported, "fakesink is missing");
    g_object_set(sink.get(), "sync", FALSE, "async", FALSE, nullptr);
    gst_bin_add(bin, sink.get());
    const auto pad = GstPtr<GstPad>::adopt(gst_element_get_static_pad(sink.get(), "sink"));
    {
      const std::lock_guard lock(mutex);
      if (number != pipeline) return fail(ErrorCode::kUnavailable, "the pipeline is ending");
      silent.push_back(pad.get());
    }
    gst_pad_add_probe(
        pad.get(), GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM,
        [](GstPad* on, GstPadProbeInfo* info, gpointer held) {
          GstEvent* event = gst_pad_probe_info_get_event(info);
          if (GST_EVENT_TYPE(event) != GST_EVENT_CAPS) return GST_PAD_PROBE_OK;
          const auto* probe = static_cast<CapsProbe*>(held);
          GstCaps* caps = nullptr;
          gst_event_parse_caps(event, &caps);
          if (const auto self = probe->state.lock()) self->take_caps(on, caps, probe->pipeline);
          return GST_PAD_PROBE_OK;
        },
        new CapsProbe{weak_from_this(), number},
        [](gpointer held) { delete static_cast<CapsProbe*>(held); });
    if (gst_pad_link(end.pad, pad.get()) != GST_PAD_LINK_OK) {
      return fail(ErrorCode::kInternal, "a track cannot be linked");
    }
    gst_element_sync_state_with_parent(sink.get());
  }
  return {};
}

void LiveTracks::State::take_caps(GstPad* pad, GstCaps* caps, unsigned of) {
  const auto info = camera::stream_info(GstPtr<GstCaps>::ref(caps), 0);
  if (!info) return;
  const auto kind = info->codec.kind;
  bool complete = false;
  bool changed = false;
  {
    const std::lock_guard lock(mutex);
    const auto waiting = std::find(silent.begin(), silent.end(), pad);
    // New caps of a pad we listen to are new parameter sets, which are in the stream too.
    if (of != pipeline || gone || waiting == silent.end()) return;
    silent.erase(waiting);
    auto& track = tracks[kind];
    if (!track || !rtc::accepts(track->codec(), info->codec)) {
      changed = track != nullptr;
      track = rtc::Track::create(info->codec);
    }
    auto tap = std::make_shared<FrameTap>(info->codec, track);
    tap->probe(pad);
    if (can_ask && kind == rtc::MediaKind::kVideo) {
      track->set_keyframe_requester([weak = std::weak_ptr<FrameTap>(tap)] {
        if (const auto still = weak.lock()) still->request_keyframe();
      });
    }
    taps.push_back(std::move(tap));
    complete = silent.empty();
  }
  if (changed) tell(callbacks.changed);
  if (complete) tell(callbacks.ready);
}

LiveTracks::LiveTracks(bool can_ask, Callbacks callbacks)
    : state_(std::make_shared<State>(can_ask, std::move(callbacks))) {}

LiveTracks::~LiveTracks() {
  detach();
  const std::lock_guard lock(state_->mutex);
  state_->gone = true;
}

TakeTracks LiveTracks::taker() {
  const std::lock_guard lock(state_->mutex);
  return [state = state_, number = state_->pipeline](GstBin* bin,
                                                     const std::vector<PublishTrackEnd>& ends) {
    return state->take(number, bin, ends);
  };
}

void LiveTracks::detach() {
  std::vector<std::shared_ptr<FrameTap>> taps;
  {
    const std::lock_guard lock(state_->mutex);
    taps = std::exchange(state_->taps, {});
    state_->silent.clear();
    ++state_->pipeline;
  }
  for (const auto& tap : taps) tap->close();
}

std::vector<rtc::FeedTrack> LiveTracks::tracks() const {
  const std::lock_guard lock(state_->mutex);
  std::vector<rtc::FeedTrack> all;
  for (const auto& [kind, track] : state_->tracks) {
    all.push_back({std::string(name_of(kind)), {}, track, nullptr});
  }
  return all;
}

namespace {

class LiveFeed : public rtc::Feed {
 public:
  explicit LiveFeed(std::vector<rtc::FeedTrack> tracks) : tracks_(std::move(tracks)) {}
  const std::vector<rtc::FeedTrack>& tracks() const override { return tracks_; }
  void on_end(std::function<void(Error)>) override {}

 private:
  std::vector<rtc::FeedTrack> tracks_;
};

}  // namespace

std::unique_ptr<rtc::Feed> make_live_feed(std::vector<rtc::FeedTrack> tracks) {
  return std::make_unique<LiveFeed>(std::move(tracks));
}

}  // namespace sotto
