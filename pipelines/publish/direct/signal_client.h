// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// One connection to the server's signaling WebSocket, from the attempt to its end.
#pragma once

#include "core/base/error.h"
#include "elements/glue/main_context.h"

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace sotto {

struct SignalSettings {
  std::string address;  ///< ws: or wss:
  std::string token;    ///< Empty for none.
  std::string ca_file;  ///< PEM; empty for the system's authorities.
  bool validate_tls = true;
  std::string protocol = "sotto-direct-1";    ///< The WebSocket's subprotocol.
  std::size_t max_message = 160U << 10U;      ///< What the server may send at once.
  std::string feature = "direct publishing";  ///< For people, when the server does not have it.
};

/// Where a WHIP or WHEP address is, and what is published or watched there.
struct MediaAddress {
  std::string base;  ///< "wss://server" and what stands before /whip/ or /whep/.
  std::string name;
};
/// From "https://server/whip/NAME" or "https://server/whep/NAME". kInvalid for what is no such
/// address.
Result<MediaAddress> media_address(const std::string& location);

/// From "https://server/whip/NAME" to "wss://server/v1/publish/NAME/signal"; a path before /whip/
/// (a reverse proxy's) is kept. kInvalid for what is no such address.
Result<std::string> signal_address(const std::string& whip_location);

/// All on the default main context. A connection that is silent for kSilence is over.
class SignalClient {
 public:
  static constexpr std::chrono::seconds kConnectDeadline{15};
  static constexpr std::chrono::seconds kPing{15};
  static constexpr std::chrono::seconds kSilence{40};

  struct Callbacks {
    std::function<void()> opened;
    std::function<void(std::string_view)> message;
    /// Last call, also for an attempt that failed; the client may be destroyed in it.
    std::function<void(Error)> closed;
  };

  SignalClient(SignalSettings settings, Callbacks callbacks);
  ~SignalClient();
  SignalClient(const SignalClient&) = delete;
  SignalClient& operator=(const SignalClient&) = delete;

  /// `closed` is not called before start() has returned.
  void start();
  /// Dropped unless the connection is open.
  void send(const std::string& text);
  /// In good order, without a call of `closed`.
  void close();

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace sotto
