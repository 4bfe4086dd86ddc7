// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// What happened, told to whoever listens: ledger, metrics, the admin page, webhooks.
#pragma once

#include <nlohmann/json.hpp>

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace sotto::server {

/// Names are `subject.verb`: viewer.joined, viewer.left, source.live, source.away,
/// publisher.joined, login.failed, session.rejected. Details never hold secrets.
struct Event {
  std::string name;
  std::int64_t time_ms = 0;  ///< Milliseconds UTC.
  nlohmann::json details;
};

/// Main context only; listeners run before publish() returns and must be quick.
class EventBus {
 public:
  using Listener = std::function<void(const Event&)>;
  /// Stops when the returned handle is destroyed.
  [[nodiscard]] std::shared_ptr<void> listen(Listener listener);
  void publish(std::string name, nlohmann::json details);

 private:
  std::vector<std::weak_ptr<Listener>> listeners_;
};

}  // namespace sotto::server
