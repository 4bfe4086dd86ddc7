// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// RTP that somebody sends us over UDP becomes frames, untouched.
//
//   udpsrc ! rtpjitterbuffer ! fakesink ──FrameTap──► rtc::FrameReceiver      (one per media)
#pragma once

#include "core/base/error.h"
#include "core/rtc/codec.h"
#include "core/rtc/frame.h"
#include "elements/glue/gst_ptr.h"

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace sotto {

class FrameTap;

struct UdpInput {
  rtc::Codec codec;  ///< With the payload type that is sent.
  /// Where we listen: an interface's address, or the group for multicast. Empty: loopback.
  std::string address;
  std::string
      interface;  ///< Name of the interface that joins the group; empty: the system's choice.
  std::uint16_t port = 0;                        ///< 0: any free one, see UdpReader::ports().
  std::shared_ptr<rtc::FrameReceiver> receiver;  ///< Called on the input's streaming thread.
};

/// Listens from creation to destruction. Create and destroy on the main context.
class UdpReader {
 public:
  /// Reorder buffer: what is whole and in order passes without delay.
  static constexpr std::chrono::milliseconds kReorderLatency{50};

  /// kIo names the address that could not be bound.
  static Result<std::unique_ptr<UdpReader>> open(std::vector<UdpInput> inputs);
  ~UdpReader();
  UdpReader(const UdpReader&) = delete;
  UdpReader& operator=(const UdpReader&) = delete;

  /// As bound, in the order of the inputs.
  const std::vector<std::uint16_t>& ports() const { return ports_; }

 private:
  UdpReader() = default;

  GstPtr<GstElement> pipeline_;
  std::vector<std::unique_ptr<FrameTap>> taps_;
  std::vector<std::uint16_t> ports_;
};

}  // namespace sotto
