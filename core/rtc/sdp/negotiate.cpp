// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// Offer and answer as a whole: which sections are used, with which codec, and which are not.
#include "core/rtc/sdp/normalise.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace sotto::rtc::sdp {
namespace {

bool sends(Direction d) { return d == Direction::kSendOnly || d == Direction::kSendRecv; }
bool receives(Direction d) { return d == Direction::kRecvOnly || d == Direction::kSendRecv; }

Direction direction_of(bool sending, bool receiving) {
  if (sending) return receiving ? Direction::kSendRecv : Direction::kSendOnly;
  return receiving ? Direction::kRecvOnly : Direction::kInactive;
}

int leading_number(std::string_view text) {
  int value = -1;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

/// Leaves only these formats, and of the header extensions only the one engines act on.
void keep_formats(Media& media, const std::vector<int>& kept) {
  const auto is_kept = [&](int type) {
    return std::find(kept.begin(), kept.end(), type) != kept.end();
  };
  media.formats.clear();
  for (const int type : kept) {
    if (!media.formats.empty()) media.formats += " ";
    media.formats += std::to_string(type);
  }
  std::erase_if(media.attributes, [&](const Attribute& attribute) {
    if (attribute.name == "extmap") {
      return attribute.value.find(kTransportWideCc) == std::string::npos;
    }
    if (attribute.name == "rtcp-fb" && attribute.value.substr(0, 1) == "*") return false;
    const bool of_format =
        attribute.name == "rtpmap" || attribute.name == "fmtp" || attribute.name == "rtcp-fb";
    return of_format && !is_kept(leading_number(attribute.value));
  });
}

Result<Media> narrow_media(const Media& offered, const MediaPlan& plan) {
  Media media = offered;
  if (media.kind != plan.kind) {
    return fail(ErrorCode::kInvalid, "plan: mid " + plan.mid + " is of another kind");
  }
  if (media.kind == MediaKind::kData) return media;
  const auto theirs = media.direction();
  if ((sends(plan.direction) && !receives(theirs)) ||
      (receives(plan.direction) && !sends(theirs))) {
    return fail(ErrorCode::kInvalid, "plan: mid " + plan.mid + " is not offered in that direction");
  }
  const auto codecs = media.codecs();
  const auto codec = std::find_if(codecs.begin(), codecs.end(), [&](const Codec& c) {
    return c.payload_type == plan.codec.payload_type && c.name == plan.codec.name;
  });
  if (codec == codecs.end()) {
    return fail(ErrorCode::kInvalid, "plan: codec of mid " + plan.mid + " is not offered");
  }
  std::vector<int> kept = {codec->payload_type};
  if (const auto rtx = media.rtx_of(codec->payload_type)) kept.push_back(*rtx);
  keep_formats(media, kept);
  // Their direction, less what we do not want: webrtcbin intersects it with the transceiver's.
  media.set_direction(direction_of(receives(plan.direction), sends(plan.direction)));
  return media;
}

/// An m-section of the answer that uses nothing: inactive in the bundle, or rejected.
Media unused_section(const Media& offered, const Media* transport) {
  Media media;
  media.kind = offered.kind;
  media.type = offered.type;
  media.protocol = offered.protocol;
  media.formats = offered.formats;
  media.connection = "IN IP4 0.0.0.0";
  media.port = 0;
  if (offered.has("mid")) media.set("mid", offered.mid());
  if (offered.kind == MediaKind::kData || offered.rejected() || transport == nullptr) return media;
  media.port = 9;
  const auto codecs = offered.codecs();
  if (!codecs.empty()) {
    // One format is enough of an answer, and each named one would be a promise.
    const auto& codec = codecs.front();
    media.formats = std::to_string(codec.payload_type);
    auto map = media.formats + " " + codec.name + "/" + std::to_string(codec.clock_rate);
    if (codec.channels > 1) map += "/" + std::to_string(codec.channels);
    media.set("rtpmap", std::move(map));
  }
  for (const std::string_view name : {"ice-ufrag", "ice-pwd", "fingerprint", "setup"}) {
    media.set(name, std::string(transport->value(name)));
  }
  media.set("rtcp-mux", {});
  media.set_direction(Direction::kInactive);
  return media;
}

}  // namespace

int transport_wide_id(const Media& media, int payload_type) {
  const auto feedback = media.values("rtcp-fb");
  const bool wanted = std::any_of(feedback.begin(), feedback.end(), [&](std::string_view value) {
    const bool of_codec = value.substr(0, 1) == "*" || leading_number(value) == payload_type;
    return of_codec && value.find(" transport-cc") != std::string_view::npos;
  });
  if (!wanted) return 0;
  for (const Extension& extension : media.extensions()) {
    if (extension.uri == kTransportWideCc) return extension.id;
  }
  return 0;
}

Result<Description> narrow(const Description& offer, const std::vector<MediaPlan>& media) {
  Description narrowed = offer;
  narrowed.media.clear();
  std::vector<std::string> group;
  for (const auto& plan : media) {
    const auto index = offer.index_of(plan.mid);
    if (!index || offer.media[*index].rejected()) {
      return fail(ErrorCode::kInvalid, "plan: no section of that mid was offered: " + plan.mid);
    }
  }
  for (const auto& offered : offer.media) {
    if (offered.rejected()) continue;
    const auto plan = std::find_if(media.begin(), media.end(), [&](const MediaPlan& p) {
      return p.mid == offered.value("mid");
    });
    if (plan == media.end()) continue;
    if (plan->direction == Direction::kInactive && plan->kind != MediaKind::kData) continue;
    auto section = narrow_media(offered, *plan);
    if (!section) return tl::unexpected<Error>(section.error());
    narrowed.media.push_back(std::move(*section));
    group.push_back(plan->mid);
  }
  if (narrowed.media.empty())
    return fail(ErrorCode::kInvalid, "plan: nothing of the offer is used");
  narrowed.set_bundle(group);
  // The tagged section may have been left out; the candidates belong to the transport.
  std::vector<std::string> candidates;
  for (const auto& offered : offer.media) {
    for (const auto value : offered.values("candidate")) candidates.emplace_back(value);
  }
  for (auto& section : narrowed.media) section.remove("candidate");
  for (auto& value : candidates) {
    narrowed.media.front().attributes.push_back({"candidate", std::move(value)});
  }
  return narrowed;
}

Description widen(const Description& answer, const Description& offer) {
  Description wide = answer;
  wide.media.clear();
  const Media* transport = answer.media.empty() ? nullptr : &answer.media.front();
  for (const auto& offered : offer.media) {
    const auto index = answer.index_of(offered.value("mid"));
    const bool used = index && offered.has("mid");
    wide.media.push_back(used ? answer.media[*index] : unused_section(offered, transport));
  }
  std::vector<std::string> group;
  for (const auto& mid : offer.bundle()) {
    const auto index = wide.index_of(mid);
    if (index && !wide.media[*index].rejected()) group.push_back(mid);
  }
  wide.set_bundle(group);  // An offer without a group is answered without one (RFC 9143, 7.3).
  return wide;
}

Result<Description> align_answer(Description answer, const Description& offer) {
  if (answer.media.size() != offer.media.size()) {
    return fail(ErrorCode::kInvalid, "SDP: the answer has another number of m-sections");
  }
  std::vector<std::string> group;
  const Media* transport = nullptr;
  for (const auto& media : answer.media) {
    if (!media.rejected() && transport == nullptr) transport = &media;
  }
  if (transport == nullptr) return fail(ErrorCode::kInvalid, "SDP: the answer accepts nothing");
  const Media carrier = *transport;
  for (std::size_t i = 0; i < offer.media.size(); ++i) {
    const auto& offered = offer.media[i];
    auto& media = answer.media[i];
    if (media.type != offered.type) {
      return fail(ErrorCode::kInvalid, "SDP: an m-section of the answer is of another kind");
    }
    // All of them, for webrtcbin finds its transport by the first mid of the group.
    group.push_back(offered.mid());
    if (media.rejected()) {
      // webrtcbin wants credentials in every section and learns the DTLS role from the tagged one,
      // so a rejected stream is an inactive one. A data channel it would open all the same.
      Media rejected = offered;
      for (const std::string_view name : {"candidate", "end-of-candidates", "ssrc", "ssrc-group",
                                          "msid", "bundle-only", "fingerprint"}) {
        rejected.remove(name);
      }
      for (const std::string_view name : {"ice-ufrag", "ice-pwd", "fingerprint", "setup"}) {
        rejected.set(name, std::string(carrier.value(name)));
      }
      rejected.port = rejected.kind == MediaKind::kData ? 0 : 9;
      if (rejected.kind != MediaKind::kData) rejected.set_direction(Direction::kInactive);
      media = std::move(rejected);
      continue;
    }
    if (media.value("mid") != offered.value("mid")) {
      return fail(ErrorCode::kInvalid, "SDP: an m-section of the answer has another mid");
    }
    if (media.kind == MediaKind::kData) continue;
    const auto theirs = media.direction();
    const auto ours = offered.direction();
    if ((sends(theirs) && !receives(ours)) || (receives(theirs) && !sends(ours))) {
      return fail(ErrorCode::kInvalid, "SDP: direction of the answer does not fit the offer");
    }
    const auto offered_types = offered.payload_types();
    std::vector<int> kept;
    for (const int type : media.payload_types()) {
      if (std::find(offered_types.begin(), offered_types.end(), type) != offered_types.end()) {
        kept.push_back(type);
      }
    }
    if (kept.empty()) return fail(ErrorCode::kInvalid, "SDP: the answer has no codec of the offer");
    keep_formats(media, kept);
  }
  answer.set_bundle(group);
  return answer;
}

std::vector<MediaPlan> agreed(const std::vector<MediaPlan>& plan, const Description& remote,
                              Role remote_role) {
  std::vector<MediaPlan> media;
  for (const auto& ours : plan) {
    const auto index = remote.index_of(ours.mid);
    if (!index || remote.media[*index].rejected()) continue;
    const auto& section = remote.media[*index];
    MediaPlan entry = ours;
    if (ours.kind == MediaKind::kData) {
      media.push_back(std::move(entry));
      continue;
    }
    const auto theirs = section.direction();
    entry.direction = direction_of(sends(ours.direction) && receives(theirs),
                                   receives(ours.direction) && sends(theirs));
    if (entry.direction == Direction::kInactive) continue;
    bool found = false;
    for (auto& codec : section.codecs()) {
      const bool same = remote_role == Role::kOffer ? codec.payload_type == ours.codec.payload_type
                                                    : codec.name == ours.codec.name &&
                                                          codec.clock_rate == ours.codec.clock_rate;
      if (!same) continue;
      entry.codec = std::move(codec);
      found = true;
      break;
    }
    if (found) media.push_back(std::move(entry));
  }
  return media;
}

}  // namespace sotto::rtc::sdp
