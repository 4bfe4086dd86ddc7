// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "server/base/events.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace sotto::server {

std::shared_ptr<void> EventBus::listen(Listener listener) {
  auto kept = std::make_shared<Listener>(std::move(listener));
  listeners_.push_back(kept);
  return kept;
}

void EventBus::publish(std::string name, nlohmann::json details) {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const Event event{std::move(name),
                    std::chrono::duration_cast<std::chrono::milliseconds>(now).count(),
                    std::move(details)};
  // A listener may subscribe or unsubscribe others while it runs, so the list is copied first.
  const auto listeners = listeners_;
  for (const auto& weak : listeners) {
    if (const auto listener = weak.lock()) (*listener)(event);
  }
  std::erase_if(listeners_, [](const auto& weak) { return weak.expired(); });
}

}  // namespace sotto::server
