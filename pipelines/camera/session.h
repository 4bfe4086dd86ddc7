// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// One connection to a camera, from the first packet to the last. A session that ended is not
// started again: its line makes another.
#pragma once

#include "core/base/error.h"
#include "elements/glue/main_context.h"
#include "pipelines/camera/ingest.h"
#include "pipelines/camera/options.h"

#include <functional>
#include <memory>
#include <vector>

namespace sotto::camera {

class Session {
 public:
  /// All called on the main context, none after stop().
  struct Events {
    /// The camera said what it sends: at most one video and one audio stream, in that order.
    std::function<void(std::vector<std::shared_ptr<Ingest>>)> on_described;
    /// Something new was found out about a stream; see Ingest::findings().
    std::function<void()> on_news;
    /// Once; the error is in words for people.
    std::function<void(Error)> on_ended;
  };

  virtual ~Session() = default;
  virtual void start(Events events) = 0;
  /// `stopped` is called on the main context when the connection is gone for good.
  virtual void stop(std::function<void()> stopped) = 0;
};

std::shared_ptr<Session> make_rtsp_session(MainContext& loop, const Address& address,
                                           const Patience& patience);
/// The built-in picture: no network, encoded once per process.
std::shared_ptr<Session> make_demo_session(MainContext& loop);

/// By the address' scheme.
std::shared_ptr<Session> make_session(MainContext& loop, const Address& address,
                                      const Patience& patience);

}  // namespace sotto::camera
