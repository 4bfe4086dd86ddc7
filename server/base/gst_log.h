// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// What GStreamer, GLib and libsoup have to say, in our log.
#pragma once

namespace sotto::server::log {

/// Once, after gst_init(): GStreamer's warnings and errors and GLib's messages become log lines
/// with passwords in addresses hidden. GST_DEBUG in the environment keeps GStreamer's own output.
void capture_libraries();

}  // namespace sotto::server::log
