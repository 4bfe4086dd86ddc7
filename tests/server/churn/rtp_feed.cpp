// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tests/server/churn/rtp_feed.h"

#include "bench/load/stamp.h"
#include "core/base/bytes.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <cstddef>
#include <ctime>

namespace sotto::test {
namespace {

constexpr int kFramesPerSecond = 25;
constexpr std::uint64_t kKeyframeEvery = 10;
constexpr int kPacketsPerFrame = 3;
constexpr std::size_t kPayloadBytes = 600;
constexpr std::uint32_t kClock = 90'000;
constexpr std::uint32_t kSsrc = 0x43485552;
constexpr int kPayloadType = 96;

Bytes make_packet(std::uint16_t sequence, std::uint32_t time, int index, bool keyframe) {
  const bool last = index == kPacketsPerFrame - 1;
  Bytes packet{0x80, static_cast<std::uint8_t>((last ? 0x80 : 0) | kPayloadType)};
  for (const int shift : {8, 0}) packet.push_back(static_cast<std::uint8_t>(sequence >> shift));
  for (const int shift : {24, 16, 8, 0}) packet.push_back(static_cast<std::uint8_t>(time >> shift));
  for (const int shift : {24, 16, 8, 0})
    packet.push_back(static_cast<std::uint8_t>(kSsrc >> shift));
  if (index == 0) {
    // RFC 7741: S bit, then the frame tag (bit 0 clear: keyframe), start code, 320 by 240.
    packet.push_back(0x10);
    if (keyframe) {
      packet.insert(packet.end(), {0x10, 0x02, 0x00, 0x9D, 0x01, 0x2A, 0x40, 0x01, 0xF0, 0x00});
    } else {
      packet.insert(packet.end(), {0x11, 0x02, 0x00});
    }
  } else {
    packet.push_back(0x00);
  }
  packet.resize(packet.size() + kPayloadBytes, 0x55);
  return packet;
}

}  // namespace

RtpFeed::RtpFeed(std::uint16_t port) : thread_([this, port] { run(port); }) {}

RtpFeed::~RtpFeed() {
  stopping_ = true;
  thread_.join();
}

void RtpFeed::run(std::uint16_t port) {
  const int socket = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  to.sin_port = htons(port);
  bench::Stamp stamp;
  std::uint16_t sequence = 0;
  const auto start = std::chrono::steady_clock::now();
  for (std::uint64_t frame = 0; !stopping_; ++frame) {
    const auto time = static_cast<std::uint32_t>(frame * (kClock / kFramesPerSecond));
    for (int i = 0; i < kPacketsPerFrame; ++i) {
      Bytes packet = make_packet(sequence++, time, i, frame % kKeyframeEvery == 0);
      ++stamp.packets;
      if (i == kPacketsPerFrame - 1) {
        ++stamp.frame;
        timespec now{};
        clock_gettime(CLOCK_REALTIME, &now);
        stamp.sent_nanoseconds = now.tv_sec * 1'000'000'000LL + now.tv_nsec;
        const auto* bytes = reinterpret_cast<const std::uint8_t*>(&stamp);
        packet.insert(packet.end(), bytes, bytes + sizeof(stamp));
      }
      (void)::sendto(socket, packet.data(), packet.size(), 0,
                     reinterpret_cast<const sockaddr*>(&to), sizeof(to));
    }
    // The pace of a camera.
    std::this_thread::sleep_until(start +
                                  (frame + 1) * std::chrono::milliseconds(1000) / kFramesPerSecond);
  }
  ::close(socket);
}

}  // namespace sotto::test
