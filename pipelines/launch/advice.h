// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What to do next when a pipeline cannot be built or fails: GStreamer says what broke, seldom what
// helps.
#pragma once

#include <gst/gst.h>

#include <string>
#include <string_view>

namespace sotto {

/// The Debian package or hardware an element comes from; empty when we do not know.
std::string_view origin_of_element(std::string_view factory);

/// A sentence for people, or empty. `factory` is the failing element's, empty if none.
std::string advice_for(const GError& error, std::string_view factory);

}  // namespace sotto
