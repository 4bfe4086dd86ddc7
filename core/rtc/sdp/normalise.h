// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// Descriptions as browsers write them, made fit for an engine, and an engine's made fit for them.
//
//   their SDP ─► normalise_remote ─► narrow / align_answer ─► engine
//   engine    ─► widen (answers)  ─► normalise_local       ─► their ears
//
// The engine (webrtcbin 1.22) then sees only what was agreed to be used: one codec per section, one
// transport, candidates it can use. What it would get wrong about the rest it never sees.
#pragma once

#include "core/rtc/sdp/sdp.h"

#include <vector>

namespace sotto::rtc::sdp {

/// Of one description, and of one session's trickled ones. A browser has about ten.
inline constexpr std::size_t kMaxCandidates = 128;

enum class Role { kOffer, kAnswer };

/// Header extension of transport-wide congestion control: the only one our engines speak.
inline constexpr std::string_view kTransportWideCc =
    "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01";

/// Checks what the peer connection relies on and brings it to one form: one BUNDLE transport whose
/// ICE credentials, fingerprint and setup stand in every accepted section (bundle-only ones carry
/// none, RFC 9725's own sample), usable candidates only and those on the tagged section, no
/// simulcast (a sender that sees it unanswered sends its first layer, RFC 8853 5.3.2), no sprop-*
/// of Opus, no session-level defaults. kInvalid or kUnsupported name what is missing.
Result<Description> normalise_remote(Description remote, Role role);

/// The header extension id of transport-wide numbers for this codec, where the section names both
/// the extension and the feedback about it; 0 otherwise.
int transport_wide_id(const Media& media, int payload_type);

/// The part of a normalised offer that `media` names with a direction other than inactive: one
/// codec each (by payload type) and its RTX. kInvalid when a mid or payload type is not offered, or
/// a direction does not fit the offer's.
Result<Description> narrow(const Description& offer, const std::vector<MediaPlan>& media);

/// Puts an answer to narrow(offer) back beside the sections left out: those are answered inactive
/// within the bundle, data channels with port 0.
Description widen(const Description& answer, const Description& offer);

/// Fits a normalised answer to our offer: same sections in the same order, or kInvalid. A rejected
/// section becomes an inactive one, and one without a format of ours is an error.
Result<Description> align_answer(Description answer, const Description& offer);

/// Finishes a complete local description: rtcp-mux-only (RFC 8858), candidates without TCP and
/// link-local ones and only on the tagged section, end-of-candidates, msid and fmtp as planned.
Description normalise_local(Description local, const std::vector<MediaPlan>& media);

/// What both ends agreed to, given our plan and the other side's normalised description: accepted
/// sections only, payload types and fmtp as the remote side has them.
std::vector<MediaPlan> agreed(const std::vector<MediaPlan>& plan, const Description& remote,
                              Role remote_role);

}  // namespace sotto::rtc::sdp
