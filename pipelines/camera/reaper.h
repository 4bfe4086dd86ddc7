// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// Stops pipelines away from the threads that must not wait for them.
#pragma once

#include "elements/glue/gst_ptr.h"

#include <chrono>
#include <functional>

namespace sotto::camera {

/// Takes the pipeline to NULL on a thread of its own, drains its bus, drops it, then calls
/// `stopped` on that thread. A stop waits for sockets and streaming threads, and the one who wants
/// it may well be such a thread. There are as many of these threads as pipelines being stopped.
void reap(GstPtr<GstElement> pipeline, std::function<void()> stopped = {});

/// Waits until all that was handed over is stopped. False after `bound`. For the end of a process.
bool wait_for_reaper(std::chrono::milliseconds bound);

}  // namespace sotto::camera
