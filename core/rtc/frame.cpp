// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/rtc/frame.h"

namespace sotto::rtc {

MonotonicTime monotonic_now() { return std::chrono::steady_clock::now().time_since_epoch(); }

}  // namespace sotto::rtc
