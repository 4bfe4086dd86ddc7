// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// Choices plugins make when they answer a client's offer.
#pragma once

#include "core/base/error.h"
#include "core/rtc/peer.h"

#include <string>
#include <vector>

namespace sotto::server::janus {

/// Codec names a client asks for in its request; empty: the first of the offer we can relay.
struct Preference {
  std::string audio;
  std::string video;
};

/// Our side of an offer whose media is to come back: every section with its direction mirrored and
/// one codec. Sections without a codec we can carry are left out (and so answered inactive).
/// kParse for SDP that does not parse, kUnsupported when no section is left.
Result<std::vector<rtc::MediaPlan>> mirror_offer(const std::string& sdp,
                                                 const Preference& preference);

}  // namespace sotto::server::janus
