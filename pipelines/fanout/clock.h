// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// One line of time for all pipelines of the process: CLOCK_MONOTONIC.
#pragma once

#include "core/rtc/frame.h"

#include <gst/gst.h>

namespace sotto {

/// Puts a pipeline on the system's monotonic clock with base time zero, for good: a buffer's
/// running time is then a value of rtc::monotonic_now(), in this pipeline and in every other. To be
/// called before the pipeline leaves READY.
void use_monotonic_clock(GstPipeline* pipeline);
/// The clock alone, for a pipeline that has to begin at a running time of zero, such as a file
/// played at its own pace. Its base time makes up the difference (FrameTap adds it).
void keep_monotonic_clock(GstPipeline* pipeline);

inline GstClockTime to_clock_time(rtc::MonotonicTime time) {
  return time.count() < 0 ? 0 : static_cast<GstClockTime>(time.count());
}

}  // namespace sotto
