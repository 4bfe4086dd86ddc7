// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// Which track of a source goes into which m-section of a viewer, and under what name.
#pragma once

#include "core/base/error.h"
#include "core/rtc/peer.h"
#include "core/rtc/sdp/sdp.h"
#include "core/rtc/source.h"

#include <string>
#include <vector>

namespace sotto::rtc {

/// A track on its way to a viewer: what is sent under `mid`.
struct ViewingLine {
  std::string mid;
  FeedTrack track;
};

struct ViewingPlan {
  std::vector<MediaPlan> media;    ///< For Peer::offer or Peer::answer; all sendonly.
  std::vector<ViewingLine> lines;  ///< One for each of them.
};

/// For a viewer who offers (WHEP). Each section that receives gets the first track not yet placed
/// that it can take, under the payload type and parameters of the viewer: a H.264 High stream is
/// declared as what the viewer listed, since browsers refuse to hear of High and decode it all the
/// same. sprop-parameter-sets of the stream are kept. Sections nothing fits are left out, that is,
/// answered inactive. kUnsupported when no section is left.
Result<ViewingPlan> plan_for_offer(const sdp::Description& offer,
                                   const std::vector<FeedTrack>& tracks,
                                   const std::string& stream_id);

/// For an offer of ours (Janus): a section per track, mids "0", "1" …, payload types from 96 on
/// but for static ones.
ViewingPlan plan_for_feed(const std::vector<FeedTrack>& tracks, const std::string& stream_id);

/// `description`, with the sections of sealed lines marked as such (kSealedAttribute); the mark is
/// taken from all others. Text that does not parse is returned as it is.
std::string mark_sealed(const std::string& description, const std::vector<ViewingLine>& lines);

/// Whether a section of `description` carries the mark.
bool marked_sealed(const std::string& description);

/// For a viewer that changes to another source without negotiation: per line of `lines` the index
/// of the track that goes on under it, or tracks.size() where the new source has none of its kind.
/// kUnsupported when it has one of that kind in another codec, or nothing at all to go on with.
Result<std::vector<std::size_t>> match_lines(const std::vector<ViewingLine>& lines,
                                             const std::vector<FeedTrack>& tracks);

}  // namespace sotto::rtc
