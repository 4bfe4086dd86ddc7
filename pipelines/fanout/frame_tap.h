// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// A source's end of the fan-out in GStreamer: RTP buffers become frames.
//
//   webrtcbin src pad ──► sink pad of FrameTap            (nothing else is needed), or
//   … ! fakesink / appsink, whose sink pad FrameTap probes (where the pipeline needs a sink)
//                            └──► FrameAssembler ──► rtc::FrameReceiver (a Track)
#pragma once

#include "core/rtc/codec.h"
#include "core/rtc/frame.h"
#include "core/rtc/rtp/assembler.h"
#include "elements/glue/gst_ptr.h"

#include <gst/gst.h>

#include <memory>

namespace sotto {

/// Assembles on the streaming thread of the pad and hands frames on there. Packets must come in
/// order: a jitter buffer is before us. The pad's pipeline should run on use_monotonic_clock();
/// where the pad is probed, keep_monotonic_clock() will do.
class FrameTap {
 public:
  FrameTap(const rtc::Codec& codec, std::shared_ptr<rtc::FrameReceiver> receiver);
  ~FrameTap();
  FrameTap(const FrameTap&) = delete;
  FrameTap& operator=(const FrameTap&) = delete;

  /// A sink pad of its own, without a parent element, to be linked to a src pad.
  bool link(GstPad* src_pad);
  /// Or: listens in on a pad that gets RTP buffers, such as the sink pad of a fakesink with
  /// sync=false. The buffers travel on.
  bool probe(GstPad* pad);
  /// The sink pad of this appsink or fakesink.
  bool probe(GstElement* sink);

  /// The receiver is not called any more once it returned. Idempotent. Not to be called from the
  /// receiver.
  void close();

  /// Sends a force-key-unit event upstream: to the encoder of this pipeline, or as PLI to the
  /// remote sender through rtpbin. Thread safe.
  void request_keyframe();

  rtc::rtp::AssemblerStats stats() const;

 private:
  struct State;
  // The pad shares it: a push may be under way in another thread when we are destroyed.
  std::shared_ptr<State> state_;
  GstPtr<GstPad> pad_;  // Ours, or the one we probe.
  gulong probe_ = 0;
  bool own_pad_ = false;
};

}  // namespace sotto
