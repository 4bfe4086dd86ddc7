// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "server/whep/wish.h"

namespace sotto::server {

using rtc::Direction;
using rtc::MediaKind;

Result<rtc::Wish> wish_of(const rtc::sdp::Description& offer) {
  rtc::Wish wish;
  wish.audio = wish.video = false;
  for (const auto& media : offer.media) {
    // Players that open a data channel by habit get their picture all the same; the section is
    // answered inactive.
    if (media.kind == MediaKind::kData) continue;
    const auto direction = media.direction();
    if (direction != Direction::kRecvOnly && direction != Direction::kSendRecv) {
      return fail(ErrorCode::kUnsupported, "a viewer's media must be recvonly");
    }
    bool& asked = media.kind == MediaKind::kAudio ? wish.audio : wish.video;
    if (asked) {
      return fail(ErrorCode::kUnsupported, "at most one audio and one video section can be viewed");
    }
    asked = true;
    for (auto& codec : media.codecs()) wish.accept.push_back(std::move(codec));
  }
  if (wish.accept.empty()) {
    return fail(ErrorCode::kUnsupported, "the offer has no audio or video to receive");
  }
  return wish;
}

}  // namespace sotto::server
