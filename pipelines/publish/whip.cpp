// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The element that takes the packets away, set up from the options.
#include "pipelines/publish/graph.h"

namespace sotto {

Result<GstPtr<GstElement>> make_whip_sink(const PublishOptions& options) {
  auto sink = GstPtr<GstElement>::sink(gst_element_factory_make("whip-sink", "whip"));
  if (!sink) {
    return fail(ErrorCode::kUnsupported,
                "whip-sink cannot be made; install gstreamer1.0-plugins-bad and gstreamer1.0-nice");
  }
  g_object_set(sink.get(), "location", options.location.c_str(), nullptr);
  if (!options.token_path.empty()) {
    g_object_set(sink.get(), "auth-token-file", options.token_path.c_str(), nullptr);
  }
  if (!options.ca_file.empty()) {
    g_object_set(sink.get(), "tls-ca-file", options.ca_file.c_str(), nullptr);
  }
  if (options.sealer) g_object_set(sink.get(), "sealed", TRUE, nullptr);
  if (options.insecure) g_object_set(sink.get(), "tls-validation", FALSE, nullptr);
  return sink;
}

}  // namespace sotto
