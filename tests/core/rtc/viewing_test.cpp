// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// Which track goes into which section, under which payload type.
#include "core/rtc/viewing.h"

#include <gtest/gtest.h>

namespace sotto::rtc {
namespace {

FeedTrack track(MediaKind kind, const char* name, unsigned rate, unsigned channels,
                const char* fmtp = "") {
  const char* mid = kind == MediaKind::kVideo ? "video" : "audio";
  return {mid, "", Track::create({kind, name, 33, rate, channels, fmtp}), nullptr};
}
FeedTrack h264(const char* fmtp) { return track(MediaKind::kVideo, "H264", 90000, 1, fmtp); }
FeedTrack vp8() { return track(MediaKind::kVideo, "VP8", 90000, 1); }
FeedTrack opus() { return track(MediaKind::kAudio, "opus", 48000, 2); }

// The video section as Chromium writes it, shortened.
constexpr const char* kOffer =
    "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0 1\r\n"
    "m=audio 9 UDP/TLS/RTP/SAVPF 111 0 8\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\na=recvonly\r\n"
    "a=rtpmap:111 opus/48000/2\r\na=fmtp:111 minptime=10;useinbandfec=1\r\n"
    "a=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\n"
    "m=video 9 UDP/TLS/RTP/SAVPF 96 97 102 103 104 106 108 39\r\nc=IN IP4 0.0.0.0\r\na=mid:1\r\n"
    "a=recvonly\r\na=rtpmap:96 VP8/90000\r\na=rtpmap:97 rtx/90000\r\na=fmtp:97 apt=96\r\n"
    "a=rtpmap:102 H264/90000\r\n"
    "a=fmtp:102 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42001f\r\n"
    "a=rtpmap:103 rtx/90000\r\na=fmtp:103 apt=102\r\n"
    "a=rtpmap:104 H264/90000\r\n"
    "a=fmtp:104 level-asymmetry-allowed=1;packetization-mode=0;profile-level-id=42001f\r\n"
    "a=rtpmap:106 H264/90000\r\n"
    "a=fmtp:106 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f\r\n"
    "a=rtpmap:108 H264/90000\r\n"
    "a=fmtp:108 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=4d001f\r\n"
    "a=rtpmap:39 AV1/90000\r\na=fmtp:39 level-idx=5;profile=0;tier=0\r\n";

sdp::Description offer(std::string text = kOffer) {
  auto parsed = sdp::parse(text);
  EXPECT_TRUE(parsed) << (parsed ? "" : parsed.error().message);
  return parsed ? *parsed : sdp::Description{};
}

TEST(PlanForOffer, TracksGoWhereTheyFitUnderTheViewersPayloadTypes) {
  const auto plan = plan_for_offer(offer(), {vp8(), opus()}, "door");
  ASSERT_TRUE(plan) << plan.error().message;
  ASSERT_EQ(plan->media.size(), 2U);
  EXPECT_EQ(plan->media[0].mid, "0");
  EXPECT_EQ(plan->media[0].codec.payload_type, 111);
  EXPECT_EQ(plan->media[0].codec.fmtp, "minptime=10;useinbandfec=1");
  EXPECT_EQ(plan->media[1].codec.payload_type, 96);
  EXPECT_EQ(plan->media[1].direction, Direction::kSendOnly);
  EXPECT_EQ(plan->media[1].stream_id, "door");
  EXPECT_EQ(plan->lines[0].track.mid, "audio");
  EXPECT_EQ(plan->lines[1].track.mid, "video");
}

TEST(PlanForOffer, H264TakesTheClosestEntryOfTheViewersList) {
  const auto entry = [](const char* fmtp) {
    const auto plan = plan_for_offer(offer(), {h264(fmtp)}, "s");
    return plan ? plan->media[0].codec.payload_type : -1;
  };
  EXPECT_EQ(entry("packetization-mode=1;profile-level-id=42001f"), 102);
  EXPECT_EQ(entry("packetization-mode=0;profile-level-id=42001e"), 104);
  EXPECT_EQ(entry("packetization-mode=1;profile-level-id=42e00a"), 106);
  EXPECT_EQ(entry("packetization-mode=1;profile-level-id=4d0028"), 108);
  EXPECT_EQ(entry("packetization-mode=1;profile-level-id=640028"), 106) << "High as 42e01f";
  EXPECT_EQ(entry("packetization-mode=1;profile-level-id=6e0028"), -1) << "ten bits";
}

TEST(PlanForOffer, ParameterSetsOfTheStreamAreAnnounced) {
  const auto plan = plan_for_offer(
      offer(),
      {h264("packetization-mode=1;profile-level-id=42e01f;sprop-parameter-sets=Z0I=,aM4=")}, "s");
  ASSERT_TRUE(plan);
  EXPECT_EQ(fmtp_value(plan->media[0].codec.fmtp, "sprop-parameter-sets"), "Z0I=,aM4=");
  EXPECT_EQ(fmtp_value(plan->media[0].codec.fmtp, "profile-level-id"), "42e01f");
}

TEST(PlanForOffer, TwoPicturesNeedTwoSections) {
  const auto one = plan_for_offer(offer(), {vp8(), vp8()}, "s");
  ASSERT_TRUE(one);
  EXPECT_EQ(one->media.size(), 1U);
  std::string text = kOffer;
  text += std::string(kOffer).substr(text.find("m=video"));
  text.replace(text.rfind("a=mid:1"), 7, "a=mid:2");
  const auto two = plan_for_offer(offer(text), {vp8(), vp8()}, "s");
  ASSERT_TRUE(two);
  EXPECT_EQ(two->media.size(), 2U);
  EXPECT_EQ(two->media[1].mid, "2");
}

TEST(PlanForOffer, SectionsThatDoNotReceiveAreLeftAlone) {
  std::string text = kOffer;
  for (auto at = text.find("recvonly"); at != std::string::npos; at = text.find("recvonly", at)) {
    text.replace(at, 8, "sendonly");
  }
  const auto plan = plan_for_offer(offer(text), {vp8()}, "s");
  ASSERT_FALSE(plan);
  EXPECT_EQ(plan.error().code, ErrorCode::kUnsupported);
}

TEST(PlanForOffer, WhatNobodyTakesIsRefusedWithBothListsNamed) {
  const auto plan = plan_for_offer(offer(), {track(MediaKind::kVideo, "H265", 90000, 1)}, "s");
  ASSERT_FALSE(plan);
  EXPECT_EQ(plan.error().code, ErrorCode::kUnsupported);
  EXPECT_NE(plan.error().message.find("H265"), std::string::npos);
  EXPECT_NE(plan.error().message.find("VP8"), std::string::npos);
}

TEST(PlanForFeed, EveryTrackGetsASectionAndANumber) {
  const auto plan =
      plan_for_feed({vp8(), opus(), track(MediaKind::kAudio, "PCMA", 8000, 1),
                     h264("packetization-mode=1;profile-level-id=640028;sprop-parameter-sets=Z,a")},
                    "door");
  ASSERT_EQ(plan.media.size(), 4U);
  EXPECT_EQ(plan.media[0].codec.payload_type, 96);
  EXPECT_EQ(plan.media[1].codec.payload_type, 97);
  EXPECT_EQ(plan.media[2].codec.payload_type, 8) << "a static one";
  EXPECT_EQ(plan.media[3].codec.payload_type, 98);
  EXPECT_EQ(plan.media[3].mid, "3");
  EXPECT_EQ(plan.lines[3].mid, "3");
  const auto& fmtp = plan.media[3].codec.fmtp;
  EXPECT_EQ(fmtp_value(fmtp, "profile-level-id"), "42e01f");
  EXPECT_EQ(fmtp_value(fmtp, "packetization-mode"), "1");
  EXPECT_EQ(fmtp_value(fmtp, "sprop-parameter-sets"), "Z,a");
}

TEST(PlanForFeed, ForeignH264ProfilesKeepTheirName) {
  const auto plan = plan_for_feed({h264("packetization-mode=1;profile-level-id=f4001f")}, "s");
  EXPECT_EQ(fmtp_value(plan.media[0].codec.fmtp, "profile-level-id"), "f4001f");
}

TEST(MatchLines, EachLineFindsItsOwnTrack) {
  const std::vector<ViewingLine> lines = {{"0", opus()}, {"1", vp8()}, {"2", vp8()}};
  const auto chosen = match_lines(lines, {vp8(), vp8(), opus()});
  ASSERT_TRUE(chosen);
  EXPECT_EQ(*chosen, (std::vector<std::size_t>{2, 0, 1}));
}

TEST(MatchLines, ALineMayFallSilentButNotChangeItsCodec) {
  const std::vector<ViewingLine> lines = {{"0", opus()}, {"1", vp8()}};
  const auto silent = match_lines(lines, {vp8()});
  ASSERT_TRUE(silent);
  EXPECT_EQ(*silent, (std::vector<std::size_t>{1, 0}));
  EXPECT_FALSE(match_lines(lines, {opus(), h264("")}));
  EXPECT_FALSE(match_lines(lines, {}));
}

TEST(MarkSealed, SaysItOfTheSealedSectionsAndOfNoOther) {
  auto sealed_video = vp8();
  sealed_video.sealed = true;
  const auto plan = plan_for_offer(offer(), {sealed_video, opus()}, "door");
  ASSERT_TRUE(plan);
  // What a description says by itself does not count.
  const auto lying = std::string(kOffer).replace(std::string(kOffer).find("a=mid:0"), 7,
                                                 "a=x-sotto-e2ee:sframe\r\na=mid:0");
  const auto marked = offer(mark_sealed(lying, plan->lines));
  EXPECT_FALSE(marked.media[0].has(kSealedAttribute));
  EXPECT_EQ(marked.media[1].value(kSealedAttribute), kSealedScheme);
  const auto plain = plan_for_offer(offer(), {vp8(), opus()}, "door");
  for (const auto& media : offer(mark_sealed(kOffer, plain->lines)).media) {
    EXPECT_FALSE(media.has(kSealedAttribute));
  }
  EXPECT_EQ(mark_sealed("no description", plan->lines), "no description");
}

}  // namespace
}  // namespace sotto::rtc
