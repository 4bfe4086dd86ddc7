// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// How a camera is reached and how patient we are with it.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace sotto::camera {

enum class Transport { kTcp, kUdp, kTls };

/// One RTSP address and the log-in for it.
struct Address {
  std::string url;  ///< rtsp://, rtsps:// or demo: — never with a password in it.
  std::string user;
  std::string password;  ///< Goes to the RTSP client only: not into logs, errors or messages.
  Transport transport = Transport::kTcp;
  bool verify_tls = true;
  std::chrono::milliseconds latency{100};  ///< Of the reorder buffer; does not delay what is whole.
};

/// Bounds on waiting. Tests shorten them; nobody else needs to.
struct Patience {
  std::chrono::milliseconds connect{10'000};  ///< From the first SYN to the described streams.
  std::chrono::milliseconds silence{5'000};   ///< Without a picture, sound or not: broken.
  std::chrono::milliseconds linger{5'000};    ///< Open after the last viewer left.
  std::chrono::milliseconds first_retry{250};
  std::chrono::milliseconds quick_retry{2'000};     ///< Longest pause while it may come back soon.
  std::chrono::milliseconds slowest_retry{30'000};  ///< Longest pause at all.
};

struct Options {
  std::string id;
  std::uint64_t number = 0;
  std::string title;
  Address main;
  Address sub;  ///< A smaller stream of the same camera; no url: none.
  bool keep_warm = false;
  bool is_private = false;
  Patience patience;
};

}  // namespace sotto::camera
