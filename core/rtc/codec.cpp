// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/rtc/codec.h"

namespace sotto::rtc {

std::string_view name_of(MediaKind kind) {
  switch (kind) {
    case MediaKind::kAudio: return "audio";
    case MediaKind::kVideo: return "video";
    case MediaKind::kData: return "data";
  }
  return "data";
}

}  // namespace sotto::rtc
