// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/rtc/source.h"

namespace sotto::rtc {

std::string_view name_of(SourceState state) {
  switch (state) {
    case SourceState::kIdle: return "idle";
    case SourceState::kStarting: return "starting";
    case SourceState::kLive: return "live";
    case SourceState::kAway: return "away";
    case SourceState::kFailed: return "failed";
  }
  return "failed";
}

std::vector<Codec> browser_codecs() {
  using enum MediaKind;
  return {{kVideo, "VP8", -1, 90000, 1, {}},
          {kVideo, "VP9", -1, 90000, 1, "profile-id=0"},
          {kVideo, "H264", -1, 90000, 1,
           "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f"},
          {kAudio, "opus", -1, 48000, 2, "minptime=10;useinbandfec=1"},
          {kAudio, "PCMU", 0, 8000, 1, {}},
          {kAudio, "PCMA", 8, 8000, 1, {}}};
}

}  // namespace sotto::rtc
