// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "pipelines/fanout/clock.h"

#include "elements/glue/gst_ptr.h"

namespace sotto {

void keep_monotonic_clock(GstPipeline* pipeline) {
  // The process may have one system clock only, and GStreamer's is monotonic unless a program
  // changes it for everybody, which we never do.
  const auto clock = GstPtr<GstClock>::adopt(gst_system_clock_obtain());
  gst_pipeline_use_clock(pipeline, clock.get());
}

void use_monotonic_clock(GstPipeline* pipeline) {
  keep_monotonic_clock(pipeline);
  // With a start time the pipeline would choose a new base time whenever it goes to PLAYING.
  gst_element_set_start_time(GST_ELEMENT_CAST(pipeline), GST_CLOCK_TIME_NONE);
  gst_element_set_base_time(GST_ELEMENT_CAST(pipeline), 0);
}

}  // namespace sotto
