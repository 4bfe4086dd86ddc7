// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// What a track is made of, in the words of SDP.
#pragma once

#include <string>
#include <string_view>

namespace sotto::rtc {

enum class MediaKind { kAudio, kVideo, kData };

/// "audio", "video" or "data".
std::string_view name_of(MediaKind kind);

/// One codec as an rtpmap and fmtp line describe it (RFC 8866, 6.6).
struct Codec {
  MediaKind kind = MediaKind::kVideo;
  /// Encoding name in its registered spelling: VP8, VP9, H264, H265, AV1, opus, PCMU, PCMA, G722.
  std::string name;
  int payload_type = -1;        ///< 0 to 127; -1 where no number was agreed yet.
  unsigned clock_rate = 90000;  ///< Hz; G722 says 8000 although it samples at 16000 (RFC 3551).
  unsigned channels = 1;        ///< Audio only; opus is always 2 in SDP.
  std::string fmtp;             ///< Parameters after "a=fmtp:<pt> ", without the number.
};

/// True when a receiver that announced `offered` decodes `stream`: same name, clock rate and
/// channels, H.264 packetization-mode and profile compatible (a High stream declared as the
/// receiver's own level plays; a profile family the receiver did not list does not), VP9 and AV1
/// profiles equal. Payload types are not compared.
bool accepts(const Codec& offered, const Codec& stream);

/// Value of one key of a semicolon-separated fmtp, or an empty view.
std::string_view fmtp_value(std::string_view fmtp, std::string_view key);

}  // namespace sotto::rtc
