// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/rtc/codec.h"

#include "core/base/bytes.h"

#include <algorithm>

namespace sotto::rtc {
namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(),
                                            [](char x, char y) { return lower(x) == lower(y); });
}

std::string_view trim(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

std::string_view value_or(std::string_view fmtp, std::string_view key, std::string_view fallback) {
  const auto value = fmtp_value(fmtp, key);
  return value.empty() ? fallback : value;
}

// profile_idc of a profile-level-id (RFC 6184, 8.1), which defaults to Baseline.
unsigned h264_profile(std::string_view fmtp) {
  constexpr unsigned kBaseline = 0x42;
  const auto bytes = from_hex(fmtp_value(fmtp, "profile-level-id"));
  return bytes && bytes->size() == 3 ? bytes->front() : kBaseline;
}

// 8 bits, 4:2:0, no data partitioning: what every browser's decoder reads, whatever it lists.
bool is_common_h264(unsigned profile) {
  return profile == 0x42 || profile == 0x4D || profile == 0x64;
}

bool accepts_h264(std::string_view offered, std::string_view stream) {
  const auto mode = [](std::string_view fmtp) { return value_or(fmtp, "packetization-mode", "0"); };
  // Who takes mode 1 takes single NAL units too; the other way round is not so.
  if (mode(stream) != mode(offered) && !(mode(offered) == "1" && mode(stream) == "0")) return false;
  const unsigned wants = h264_profile(offered);
  const unsigned is = h264_profile(stream);
  return wants == is || (is_common_h264(wants) && is_common_h264(is));
}

}  // namespace

std::string_view name_of(MediaKind kind) {
  switch (kind) {
    case MediaKind::kAudio: return "audio";
    case MediaKind::kVideo: return "video";
    case MediaKind::kData: return "data";
  }
  return "data";
}

std::string_view fmtp_value(std::string_view fmtp, std::string_view key) {
  while (!fmtp.empty()) {
    const auto end = std::min(fmtp.find(';'), fmtp.size());
    const std::string_view entry = trim(fmtp.substr(0, end));
    const auto equals = entry.find('=');
    if (equals != std::string_view::npos &&
        equal_ignoring_case(trim(entry.substr(0, equals)), key)) {
      return trim(entry.substr(equals + 1));
    }
    fmtp.remove_prefix(std::min(end + 1, fmtp.size()));
  }
  return {};
}

bool accepts(const Codec& offered, const Codec& stream) {
  if (offered.kind != stream.kind || !equal_ignoring_case(offered.name, stream.name) ||
      offered.clock_rate != stream.clock_rate) {
    return false;
  }
  if (stream.kind == MediaKind::kAudio) return offered.channels == stream.channels;
  const auto same = [&](std::string_view key, std::string_view fallback) {
    return value_or(offered.fmtp, key, fallback) == value_or(stream.fmtp, key, fallback);
  };
  if (equal_ignoring_case(stream.name, "H264")) return accepts_h264(offered.fmtp, stream.fmtp);
  if (equal_ignoring_case(stream.name, "H265")) return same("profile-id", "1");
  if (equal_ignoring_case(stream.name, "VP9")) return same("profile-id", "0");
  if (equal_ignoring_case(stream.name, "AV1")) return same("profile", "0");
  return true;
}

}  // namespace sotto::rtc
