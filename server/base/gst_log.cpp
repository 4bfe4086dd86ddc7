// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "server/base/gst_log.h"

#include "server/base/log.h"
#include "server/base/redact.h"

#include <gst/gst.h>

#include <cstdlib>

namespace sotto::server::log {
namespace {

void from_gstreamer(GstDebugCategory* category, GstDebugLevel level, const char*, const char*, int,
                    GObject* object, GstDebugMessage* message, gpointer) {
  if (level > GST_LEVEL_WARNING || level == GST_LEVEL_NONE) return;
  std::string name;
  // Read without the object's lock, as GStreamer's own log function does: whoever logs may hold it.
  if (object != nullptr && GST_IS_OBJECT(object) && GST_OBJECT_NAME(object) != nullptr) {
    name = GST_OBJECT_NAME(object);
  }
  const std::string_view of = gst_debug_category_get_name(category);
  // What stops a stream is told by the feature that owns it; this is the detail behind it. Of SCTP
  // every hang-up is an error, since a browser aborts the association when it closes.
  const bool notable = level == GST_LEVEL_ERROR && of != "sctpassociation";
  write(notable ? Level::kWarning : Level::kDebug, "gstreamer",
        redact_urls(gst_debug_message_get(message)),
        {{"category", std::string(of)}, {"object", redact_urls(name)}});
}

GLogWriterOutput from_glib(GLogLevelFlags level, const GLogField* fields, gsize count, gpointer) {
  std::string message;
  std::string domain;
  for (gsize i = 0; i < count; ++i) {
    const std::string_view key = fields[i].key;
    const auto* value = static_cast<const char*>(fields[i].value);
    const std::string text = fields[i].length < 0
                                 ? std::string(value)
                                 : std::string(value, static_cast<std::size_t>(fields[i].length));
    if (key == "MESSAGE") message = text;
    if (key == "GLIB_DOMAIN") domain = text;
  }
  const auto kind = level & G_LOG_LEVEL_MASK;
  const Level ours = (kind & (G_LOG_LEVEL_ERROR | G_LOG_LEVEL_CRITICAL)) != 0 ? Level::kError
                     : (kind & G_LOG_LEVEL_WARNING) != 0                      ? Level::kWarning
                                                                              : Level::kDebug;
  write(ours, "glib", redact_urls(message), {{"domain", domain}});
  return G_LOG_WRITER_HANDLED;
}

}  // namespace

void capture_libraries() {
  g_log_set_writer_func(from_glib, nullptr, nullptr);
  if (std::getenv("GST_DEBUG") != nullptr) return;
  gst_debug_remove_log_function(gst_debug_log_default);
  gst_debug_add_log_function(from_gstreamer, nullptr, nullptr);
  gst_debug_set_default_threshold(GST_LEVEL_WARNING);
}

}  // namespace sotto::server::log
