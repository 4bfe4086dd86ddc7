// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// What we make of a publisher's offer.
#pragma once

#include "core/base/error.h"
#include "core/rtc/sdp/sdp.h"

#include <vector>

namespace sotto::server {

/// At most one audio and one video section, each sent by the publisher, in the first codec of its
/// list that we relay. kUnsupported says what does not fit; nothing is accepted by halves (RFC
/// 9725, 4.2).
Result<std::vector<rtc::MediaPlan>> plan_publication(const rtc::sdp::Description& offer);

}  // namespace sotto::server
