// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// A second offer on a session that is up, answered without touching the transport.
#pragma once

#include "core/rtc/sdp/sdp.h"

#include <cstdint>

namespace sotto::rtc::sdp {

/// The answer to another offer (normalised) of the side that made `first_offer` (normalised too),
/// which was answered with `first_answer`. What it may change: directions, within what was agreed
/// at first. kUnsupported for what would need another transport or section: an ICE restart, another
/// certificate, more or other sections, a codec that is no longer offered. `version`: which answer
/// after the first this is, from 1.
Result<Description> answer_again(const Description& offer, const Description& first_offer,
                                 const Description& first_answer, std::uint64_t version);

}  // namespace sotto::rtc::sdp
