// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// The incoming half of a peer: webrtcbin's source pads become frames of a mid.
#pragma once

#include "core/rtc/peer.h"
#include "core/rtc/sdp/sdp.h"
#include "pipelines/fanout/frame_tap.h"
#include "pipelines/peer/guard.h"

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

namespace sotto {

/// Pads appear on streaming threads, receivers come and go on the main one: all calls are safe on
/// any thread. Which mid a pad belongs to is decided here, by SSRC and then by payload type, since
/// 1.22 puts every SSRC the SDP did not name under the first m-line.
class Receiving {
 public:
  /// A sender that changes its SSRC gets new pads; more than this are not looked at.
  static constexpr std::size_t kMaxStreamsPerMid = 4;

  explicit Receiving(std::shared_ptr<CertificateGuard> guard) : guard_(std::move(guard)) {}

  /// What may come in, before the first packet does.
  void expect(const std::vector<rtc::MediaPlan>& media, const rtc::sdp::Description& remote);
  void add_pad(GstPad* pad);
  /// The section a stream that came belongs to, by its SSRC; empty when it is none's.
  std::string mid_of(std::uint32_t ssrc);
  void set_receiver(const std::string& mid, std::shared_ptr<rtc::FrameReceiver> receiver);
  void request_keyframe(const std::string& mid);

  /// Receivers are not called any more once it returned.
  void silence();
  /// Releases the pads. To be called with the pipeline stopped.
  void close();

 private:
  struct Slot {
    rtc::Codec codec;
    std::set<std::uint32_t> ssrcs;
    std::shared_ptr<Gate> gate;
    std::vector<std::shared_ptr<FrameTap>> taps;  // The last one is the current stream.
    bool keyframe_wanted = false;                 // Asked before there was anybody to ask.
  };
  Slot* find(std::uint32_t ssrc, int payload_type);
  Slot& at(const std::string& mid);

  const std::shared_ptr<CertificateGuard> guard_;
  std::mutex mutex_;  // Protects slots_; not held while a tap or gate is called.
  std::map<std::string, Slot> slots_;
  std::vector<std::unique_ptr<FrameTap>> strangers_;
};

}  // namespace sotto
