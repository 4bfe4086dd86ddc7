// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "pipelines/camera/stream_info.h"

#include "elements/e2ee/caps.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <string>
#include <string_view>

namespace sotto::camera {
namespace {

// A description is a few hundred bytes; sets longer than this are not sets.
constexpr std::size_t kMaxParameterSetBytes = 1024;
constexpr std::size_t kMaxParameterSets = 16;
constexpr const char* kAnyProfile = "42e01f";

std::string field(const GstStructure* caps, const char* name) {
  if (const gchar* text = gst_structure_get_string(caps, name)) return text;
  gint number = 0;
  if (gst_structure_get_int(caps, name, &number) != FALSE) return std::to_string(number);
  return {};
}

// "base64,base64,…"; what does not decode is left out.
void append_sets(const std::string& list, std::vector<Bytes>& out) {
  std::size_t at = 0;
  while (at < list.size() && out.size() < kMaxParameterSets) {
    const std::size_t end = std::min(list.find(',', at), list.size());
    auto set = from_base64(list.substr(at, end - at));
    if (set && set->size() > 2 && set->size() <= kMaxParameterSetBytes) {
      out.push_back(std::move(*set));
    }
    at = end + 1;
  }
}

std::vector<Bytes> parameter_sets(const GstStructure* caps) {
  std::vector<Bytes> sets;
  for (const char* name : {"sprop-parameter-sets", "sprop-vps", "sprop-sps", "sprop-pps"}) {
    append_sets(field(caps, name), sets);
  }
  return sets;
}

// Cameras often leave profile-level-id out; it is three bytes of the first set (RFC 6184, 8.1).
std::string h264_profile(const GstStructure* caps, const std::vector<Bytes>& sets) {
  if (auto given = field(caps, "profile-level-id"); from_hex(given).value_or(Bytes()).size() == 3) {
    return given;
  }
  constexpr std::uint8_t kSps = 7;
  for (const Bytes& set : sets) {
    if ((set[0] & 0x1FU) == kSps && set.size() > 3) return to_hex(ByteView(set).subspan(1, 3));
  }
  return kAnyProfile;
}

// Our spelling of the names GStreamer writes in capitals.
std::string spelled(const std::string& encoding) { return encoding == "OPUS" ? "opus" : encoding; }

std::string encoding_of(const GstStructure* caps) {
  if (auto name = field(caps, "encoding-name"); !name.empty()) return spelled(name);
  // Static numbers need no rtpmap (RFC 3551, 6).
  struct Static {
    int number;
    const char* name;
  };
  constexpr std::array<Static, 5> kStatic{
      {{0, "PCMU"}, {8, "PCMA"}, {9, "G722"}, {11, "L16"}, {26, "JPEG"}}};
  gint number = -1;
  gst_structure_get_int(caps, "payload", &number);
  for (const Static& entry : kStatic) {
    if (entry.number == number) return entry.name;
  }
  return {};
}

std::string fmtp(const std::string& name, const GstStructure* caps,
                 const std::vector<Bytes>& sets) {
  if (name == "H264") {
    return "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=" +
           h264_profile(caps, sets);
  }
  if (name == "VP9") {
    const auto profile = field(caps, "profile-id");
    return "profile-id=" + (profile.empty() ? "0" : profile);
  }
  if (name == "AV1") {
    const auto profile = field(caps, "profile");
    return "profile=" + (profile.empty() ? "0" : profile);
  }
  if (name == "opus") return "minptime=10;useinbandfec=1";
  return {};
}

unsigned channels(const std::string& name, const GstStructure* caps) {
  if (name == "opus") return 2;
  const int number = std::atoi(field(caps, "encoding-params").c_str());
  return number > 0 && number <= 8 ? static_cast<unsigned>(number) : 1;
}

}  // namespace

std::optional<StreamInfo> stream_info(GstPtr<GstCaps> rtp_caps, unsigned index) {
  if (!rtp_caps || gst_caps_is_empty(rtp_caps.get()) != FALSE) return std::nullopt;
  const GstStructure* caps = gst_caps_get_structure(rtp_caps.get(), 0);
  StreamInfo info;
  info.index = index;
  const auto media = field(caps, "media");
  if (media == "video") {
    info.codec.kind = rtc::MediaKind::kVideo;
  } else if (media == "audio") {
    info.codec.kind = rtc::MediaKind::kAudio;
  } else {
    return std::nullopt;
  }
  info.codec.name = encoding_of(caps);
  if (info.codec.name.empty()) return std::nullopt;
  gint number = -1;
  if (gst_structure_get_int(caps, "payload", &number) != FALSE) info.codec.payload_type = number;
  gint rate = 0;
  if (gst_structure_get_int(caps, "clock-rate", &rate) != FALSE && rate > 0) {
    info.codec.clock_rate = static_cast<unsigned>(rate);
  }
  info.parameter_sets = parameter_sets(caps);
  info.codec.channels =
      info.codec.kind == rtc::MediaKind::kAudio ? channels(info.codec.name, caps) : 1;
  info.codec.fmtp = fmtp(info.codec.name, caps, info.parameter_sets);
  info.sealed = says_sealed(rtp_caps.get());
  info.caps = std::move(rtp_caps);
  return info;
}

std::optional<StreamInfo> stream_info(const GstSDPMessage& message, unsigned index) {
  const GstSDPMedia* media = gst_sdp_message_get_media(&message, index);
  if (media == nullptr || gst_sdp_media_formats_len(media) == 0) return std::nullopt;
  // From our side a back channel is the one we would send to (ONVIF streaming, 5.3).
  if (gst_sdp_media_get_attribute_val(media, "sendonly") != nullptr) return std::nullopt;
  const int payload = std::atoi(gst_sdp_media_get_format(media, 0));
  auto caps = GstPtr<GstCaps>::adopt(gst_sdp_media_get_caps_from_media(media, payload));
  if (!caps || gst_caps_is_empty(caps.get()) != FALSE) return std::nullopt;
  caps = GstPtr<GstCaps>::adopt(gst_caps_make_writable(caps.release()));
  gst_sdp_message_attributes_to_caps(&message, caps.get());
  gst_sdp_media_attributes_to_caps(media, caps.get());
  gst_structure_set_name(gst_caps_get_structure(caps.get(), 0), "application/x-rtp");
  return stream_info(std::move(caps), index);
}

}  // namespace sotto::camera
