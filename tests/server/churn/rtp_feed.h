// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// A source of RTP without an encoder: frames that look like VP8 to whoever reads only its headers.
#pragma once

#include <atomic>
#include <cstdint>
#include <thread>

namespace sotto::test {

/// Sends 25 frames a second of three packets each to 127.0.0.1, each tenth a keyframe, until it
/// is destroyed. The last packet of each frame ends with the load client's Stamp.
class RtpFeed {
 public:
  explicit RtpFeed(std::uint16_t port);
  ~RtpFeed();
  RtpFeed(const RtpFeed&) = delete;
  RtpFeed& operator=(const RtpFeed&) = delete;

 private:
  void run(std::uint16_t port);
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

}  // namespace sotto::test
