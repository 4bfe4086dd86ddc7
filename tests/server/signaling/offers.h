// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// Offers as browsers write them, shortened.
#pragma once

#include <string>

namespace sotto::test {

inline std::string section(const std::string& type, const std::string& mid,
                           const std::string& direction, const std::string& formats,
                           const std::string& lines) {
  return "m=" + type + " 9 UDP/TLS/RTP/SAVPF " + formats +
         "\r\nc=IN IP4 0.0.0.0\r\na=rtcp:9 IN IP4 0.0.0.0\r\na=ice-ufrag:wxyz\r\n"
         "a=ice-pwd:0123456789abcdefghijklmn\r\na=ice-options:trickle\r\n"
         "a=fingerprint:sha-256 "
         "7B:8B:F0:65:5F:78:E2:51:3B:AC:6F:F3:3F:46:1B:35:DC:B8:5F:64:1A:24:C2:43:F0:A1:58:D0:A1:"
         "2C:19:08\r\na=setup:actpass\r\na=mid:" +
         mid + "\r\na=" + direction + "\r\na=rtcp-mux\r\n" + lines;
}

inline std::string audio_section(const std::string& direction, const std::string& mid = "0") {
  return section("audio", mid, direction, "111 0",
                 "a=rtpmap:111 opus/48000/2\r\na=fmtp:111 minptime=10;useinbandfec=1\r\n"
                 "a=rtpmap:0 PCMU/8000\r\na=ssrc:1001 cname:c\r\n");
}

inline std::string video_section(const std::string& direction, const std::string& mid = "1",
                                 const std::string& more = {}) {
  return section("video", mid, direction, "120 121 97",
                 "a=rtpmap:120 VP8/90000\r\na=rtcp-fb:120 nack\r\na=rtcp-fb:120 nack pli\r\n"
                 "a=rtpmap:121 rtx/90000\r\na=fmtp:121 apt=120\r\n"
                 "a=rtpmap:97 H264/90000\r\na=fmtp:97 level-asymmetry-allowed=1;"
                 "packetization-mode=1;profile-level-id=42e01f\r\na=ssrc:2002 cname:c\r\n" +
                     more);
}

inline std::string offer(const std::string& sections, const std::string& bundle = "0 1") {
  return "v=0\r\no=- 4611731400430051336 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE " +
         bundle + "\r\na=msid-semantic: WMS\r\n" + sections;
}

}  // namespace sotto::test
