// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The pipeline of one attempt to publish.
//
//   test, camera:  source ! raw ! queue(2, leaky) ! encoder ! payloader ──┐
//   file:          filesrc ! decodebin ┈┈► queue ! clocksync ! encoder … ─┼─► meter ─► whip-sink
//   rtsp:          rtspsrc ┈┈► depayloader ! parser ! payloader ──────────┘
//
// Dotted pads appear when the source knows its tracks. They are held until all are there, and only
// then whip-sink is added: its offer is made once and cannot grow.
#pragma once

#include "core/base/error.h"
#include "elements/glue/gst_ptr.h"
#include "pipelines/publish/camera_device.h"
#include "pipelines/publish/encoder.h"
#include "pipelines/publish/options.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sotto {

/// What one track carries from its source to whip-sink's pad.
struct TrackPlan {
  std::vector<std::string> words;  ///< For build_pipeline(); empty when the track is left out.
  std::string note;                ///< What a person should know, or empty.
};

/// How RTP of a camera is passed on: by encoding name, in upper case. Video and Opus, G.711 and
/// G.722 stay as they are; AAC becomes Opus, since no browser takes AAC over WebRTC.
/// `sealed`: what has no sealed form (G.711, G.722) becomes Opus, too.
TrackPlan plan_rtp_track(std::string_view media, std::string_view encoding_name,
                         bool sealed = false);
/// The plan for a stream that is sealed end to end already: left out, since every other one has a
/// parser or an encoder in it. Nothing for streams that are not.
std::optional<TrackPlan> plan_sealed_track(const GstCaps* caps);

/// The same track with an e2ee-encrypt called "seal" before its payloader.
std::vector<std::string> seal_track(std::vector<std::string> words);

/// The words before whip-sink for inputs whose tracks are known at once (test, camera).
std::vector<std::vector<std::string>> plan_static_tracks(const PublishOptions& options,
                                                         const EncoderChoice& encoder,
                                                         const CameraDevice& camera);

/// From a decoder to RTP, at the pace of the file.
std::vector<std::string> plan_decoded_video(const EncoderChoice& encoder);
std::vector<std::string> plan_decoded_audio();

/// Counted at whip-sink's pads, in its streaming threads.
struct PublishMeter {
  std::uint64_t bytes = 0;
  std::uint64_t packets = 0;
  std::uint64_t frames = 0;              ///< Of video: packets with the RTP mark.
  std::vector<std::uint32_t> delays_us;  ///< Capture to packet, at most 1000.
};

/// The end of one track: RTP leaves here.
struct PublishTrackEnd {
  GstPad* pad = nullptr;
  bool is_video = false;
};
/// Links every end to something in the pipeline, and brings that to the pipeline's state. Called
/// once, on a streaming thread for files and cameras of the network.
using TakeTracks =
    std::function<Result<>(GstBin* pipeline, const std::vector<PublishTrackEnd>& ends)>;

/// whip-sink with address and token of the options.
Result<GstPtr<GstElement>> make_whip_sink(const PublishOptions& options);

class PublishGraph {
 public:
  /// Builds all that can be built before it runs. `make_sink` makes the element that takes the RTP
  /// (request pads sink_%u); it is called once, on a streaming thread for files and cameras of the
  /// network. `note` tells what is left out, from any thread.
  static Result<std::shared_ptr<PublishGraph>> build(
      const PublishOptions& options, const HasElement& has,
      std::function<Result<GstPtr<GstElement>>()> make_sink, std::function<void(std::string)> note);
  /// The same with any other end.
  static Result<std::shared_ptr<PublishGraph>> build(const PublishOptions& options,
                                                     const HasElement& has, TakeTracks take,
                                                     std::function<void(std::string)> note);

  virtual ~PublishGraph() = default;
  virtual GstPtr<GstElement> pipeline() const = 0;
  /// The encoder in use; empty when nothing is encoded.
  virtual const std::string& encoder() const = 0;
  /// What passed since the last call. Thread safe.
  virtual PublishMeter take_meter() = 0;
};

}  // namespace sotto
