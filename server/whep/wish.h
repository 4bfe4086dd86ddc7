// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// What a viewer's offer says it can take.
#pragma once

#include "core/base/error.h"
#include "core/rtc/sdp/sdp.h"
#include "core/rtc/source.h"

namespace sotto::server {

/// The media a viewer asks for. kUnsupported when a section is not one it receives: a WHEP offer
/// holds recvonly sections (sendrecv is tolerated), at most one of each kind.
Result<rtc::Wish> wish_of(const rtc::sdp::Description& offer);

}  // namespace sotto::server
