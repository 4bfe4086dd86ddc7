// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// What went wrong with a camera, in words that say what to do.
#pragma once

#include "core/base/error.h"

#include <gst/gst.h>

namespace sotto::camera {

/// Of an error message of rtspsrc. Never holds the log-in.
Error failure_of(GstMessage* message);

}  // namespace sotto::camera
