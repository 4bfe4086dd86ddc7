// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/rtc/viewing.h"

#include <algorithm>
#include <utility>

namespace sotto::rtc {
namespace {

// What every browser lists (RFC 7742, 6.2): constrained baseline, level 3.1.
constexpr std::string_view kCommonH264 = "42e01f";
constexpr int kFirstDynamicPayloadType = 96;
constexpr int kLastDynamicPayloadType = 127;

bool is_h264(const Codec& codec) { return codec.name == "H264"; }

// How well an accepted entry of the offer describes the stream: of H.264 a browser lists eight.
int closeness(const Codec& offered, const Codec& stream) {
  if (!is_h264(stream)) return 0;
  const auto profile = [](const Codec& codec) {
    return fmtp_value(codec.fmtp, "profile-level-id").substr(0, 4);
  };
  int score = 0;
  if (fmtp_value(offered.fmtp, "packetization-mode") ==
      fmtp_value(stream.fmtp, "packetization-mode")) {
    score += 4;
  }
  if (profile(offered) == profile(stream)) score += 2;
  if (profile(offered) == kCommonH264.substr(0, 4)) score += 1;
  return score;
}

// The parameter sets that a camera may announce instead of sending them in its stream.
void keep_parameter_sets(Codec& declared, const Codec& stream) {
  for (const char* key : {"sprop-parameter-sets", "sprop-vps", "sprop-sps", "sprop-pps"}) {
    const auto value = fmtp_value(stream.fmtp, key);
    if (value.empty() || !fmtp_value(declared.fmtp, key).empty()) continue;
    if (!declared.fmtp.empty()) declared.fmtp += ';';
    declared.fmtp.append(key).append("=").append(value);
  }
}

const Codec* best_match(const std::vector<Codec>& offered, const Codec& stream) {
  const Codec* best = nullptr;
  int score = -1;
  for (const Codec& codec : offered) {
    if (!accepts(codec, stream)) continue;
    if (const int close = closeness(codec, stream); close > score) {
      best = &codec;
      score = close;
    }
  }
  return best;
}

MediaPlan sending(std::string mid, Codec codec, const std::string& stream_id) {
  MediaPlan plan;
  plan.mid = std::move(mid);
  plan.kind = codec.kind;
  plan.direction = Direction::kSendOnly;
  plan.codec = std::move(codec);
  plan.stream_id = stream_id;
  return plan;
}

template <class Range, class Name>
std::string listed(const Range& range, Name name) {
  std::vector<std::string> names;
  for (const auto& item : range) {
    std::string one = name(item);
    if (std::find(names.begin(), names.end(), one) == names.end()) names.push_back(std::move(one));
  }
  std::string text;
  for (const auto& one : names) text += (text.empty() ? "" : ", ") + one;
  return text.empty() ? "nothing" : text;
}

std::string codec_of(const FeedTrack& track) { return track.track->codec().name; }

}  // namespace

Result<ViewingPlan> plan_for_offer(const sdp::Description& offer,
                                   const std::vector<FeedTrack>& tracks,
                                   const std::string& stream_id) {
  ViewingPlan plan;
  std::vector<bool> placed(tracks.size());
  std::vector<Codec> all;
  for (const sdp::Media& section : offer.media) {
    const Direction direction = section.direction();
    if (direction != Direction::kRecvOnly && direction != Direction::kSendRecv) continue;
    const auto offered = section.codecs();
    all.insert(all.end(), offered.begin(), offered.end());
    for (std::size_t i = 0; i < tracks.size(); ++i) {
      if (placed[i]) continue;
      const Codec& stream = tracks[i].track->codec();
      const Codec* match = best_match(offered, stream);
      if (match == nullptr) continue;
      Codec declared = *match;
      keep_parameter_sets(declared, stream);
      placed[i] = true;
      plan.media.push_back(sending(section.mid(), std::move(declared), stream_id));
      plan.lines.push_back({section.mid(), tracks[i]});
      break;
    }
  }
  if (plan.media.empty()) {
    return fail(ErrorCode::kUnsupported,
                "the offer receives " + listed(all, [](const Codec& codec) { return codec.name; }) +
                    "; the source sends " + listed(tracks, codec_of));
  }
  return plan;
}

ViewingPlan plan_for_feed(const std::vector<FeedTrack>& tracks, const std::string& stream_id) {
  ViewingPlan plan;
  int next = kFirstDynamicPayloadType;
  for (const FeedTrack& track : tracks) {
    if (next > kLastDynamicPayloadType) break;
    Codec declared = track.track->codec();
    if (declared.name == "PCMU") {
      declared.payload_type = 0;
    } else if (declared.name == "PCMA") {
      declared.payload_type = 8;
    } else if (declared.name == "G722") {
      declared.payload_type = 9;
    } else {
      declared.payload_type = next++;
    }
    const auto mode = fmtp_value(declared.fmtp, "packetization-mode");
    Codec common{MediaKind::kVideo, "H264", -1, 90000, 1, "packetization-mode="};
    common.fmtp.append(mode.empty() ? "0" : mode);
    common.fmtp.append(";level-asymmetry-allowed=1;profile-level-id=").append(kCommonH264);
    if (is_h264(declared) && accepts(common, declared)) declared.fmtp = common.fmtp;
    keep_parameter_sets(declared, track.track->codec());
    const std::string mid = std::to_string(plan.media.size());
    plan.media.push_back(sending(mid, std::move(declared), stream_id));
    plan.lines.push_back({mid, track});
  }
  return plan;
}

std::string mark_sealed(const std::string& description, const std::vector<ViewingLine>& lines) {
  auto parsed = sdp::parse(description);
  if (!parsed) return description;
  for (auto& media : parsed->media) {
    media.remove(kSealedAttribute);
    const bool sealed = std::any_of(lines.begin(), lines.end(), [&](const ViewingLine& line) {
      return line.track.sealed && line.mid == media.mid();
    });
    if (sealed) media.set(kSealedAttribute, std::string(kSealedScheme));
  }
  return sdp::print(*parsed);
}

bool marked_sealed(const std::string& description) {
  const auto parsed = sdp::parse(description);
  return parsed && std::any_of(parsed->media.begin(), parsed->media.end(),
                               [](const auto& media) { return media.has(kSealedAttribute); });
}

Result<std::vector<std::size_t>> match_lines(const std::vector<ViewingLine>& lines,
                                             const std::vector<FeedTrack>& tracks) {
  std::vector<std::size_t> chosen;
  std::vector<bool> placed(tracks.size());
  bool any = false;
  for (const ViewingLine& line : lines) {
    const Codec& present = line.track.track->codec();
    std::size_t found = tracks.size();
    bool other_codec = false;
    for (std::size_t i = 0; i < tracks.size() && found == tracks.size(); ++i) {
      const Codec& codec = tracks[i].track->codec();
      if (placed[i] || codec.kind != present.kind) continue;
      if (accepts(present, codec)) {
        found = i;
      } else {
        other_codec = true;
      }
    }
    if (found == tracks.size() && other_codec) {
      return fail(ErrorCode::kUnsupported, "the other source sends " + listed(tracks, codec_of) +
                                               ", and " + present.name + " was negotiated");
    }
    if (found < tracks.size()) {
      placed[found] = true;
      any = true;
    }
    chosen.push_back(found);
  }
  if (!any) return fail(ErrorCode::kUnsupported, "the other source has nothing to go on with");
  return chosen;
}

}  // namespace sotto::rtc
