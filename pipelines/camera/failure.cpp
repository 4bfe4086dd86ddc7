// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "pipelines/camera/failure.h"

#include <string>
#include <string_view>

namespace sotto::camera {
namespace {

bool holds(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

}  // namespace

Error failure_of(GstMessage* message) {
  GError* error = nullptr;
  gchar* debug = nullptr;
  gst_message_parse_error(message, &error, &debug);
  const std::string text = error->message;
  const std::string details = debug != nullptr ? debug : "";
  const bool resource = error->domain == GST_RESOURCE_ERROR;
  const int code = error->code;
  g_error_free(error);
  g_free(debug);

  if ((resource && code == GST_RESOURCE_ERROR_NOT_AUTHORIZED) || holds(text, "Unauthorized") ||
      holds(details, "Unauthorized")) {
    return {ErrorCode::kUnauthenticated, "the camera refuses the user name or password"};
  }
  if ((resource && code == GST_RESOURCE_ERROR_NOT_FOUND) || holds(details, "Not Found")) {
    return {ErrorCode::kNotFound, "the camera has no stream at this path"};
  }
  // GStreamer 1.22 does not say which of these it was.
  if (resource &&
      (code == GST_RESOURCE_ERROR_OPEN_READ || code == GST_RESOURCE_ERROR_OPEN_READ_WRITE)) {
    return {ErrorCode::kUnavailable,
            "no connection to the camera: check host name, address and port, and that it is on"};
  }
  return {ErrorCode::kUnavailable, "the connection to the camera broke: " + text};
}

}  // namespace sotto::camera
