// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// A way for requests to reach the core. Each transport is one file pair in this folder and a
// member of JanusFeature.
#pragma once

namespace sotto::server::janus {

class Transport {
 public:
  virtual ~Transport() = default;
  /// Answers what is still waiting. Called once, after the sessions ended.
  virtual void stop() = 0;
};

}  // namespace sotto::server::janus
