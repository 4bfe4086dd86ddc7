// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// Remote descriptions made fit for the engine, local ones made fit for browsers.
#include "core/rtc/sdp/normalise.h"

#include "tests/core/rtc/sdp/samples.h"

#include <gtest/gtest.h>

#include <functional>

namespace sotto::rtc::sdp {
namespace {

Description offer_of(const char* name) {
  auto normalised = normalise_remote(*parse(sample(name)), Role::kOffer);
  EXPECT_TRUE(normalised) << normalised.error().message;
  return *normalised;
}

MediaPlan plan_of(const Description& offer, const std::string& mid, int payload_type,
                  Direction direction) {
  MediaPlan plan;
  plan.mid = mid;
  const auto& media = offer.media[*offer.index_of(mid)];
  plan.kind = media.kind;
  plan.direction = direction;
  plan.stream_id = "cam";
  for (const auto& codec : media.codecs()) {
    if (codec.payload_type == payload_type) plan.codec = codec;
  }
  return plan;
}

TEST(NormaliseRemote, BundleOnlySectionsGetTheTransportOfTheTaggedOne) {
  const auto offer = offer_of("rfc9725-offer");
  const auto& audio = offer.media[0];
  const auto& video = offer.media[1];
  for (const char* name : {"ice-ufrag", "ice-pwd", "fingerprint", "setup"}) {
    EXPECT_FALSE(audio.value(name).empty()) << name;
    EXPECT_EQ(audio.value(name), video.value(name)) << name;
  }
  EXPECT_EQ(video.port, 9);
  EXPECT_FALSE(video.has("bundle-only"));
  for (const auto& extension : video.extensions()) {
    EXPECT_EQ(extension.uri.find("rtp-stream-id"), std::string::npos);
  }
}

TEST(NormaliseRemote, SessionLevelFingerprintMovesIntoTheSections) {
  const auto offer = offer_of("firefox-offer");
  for (const auto& media : offer.media) EXPECT_EQ(media.values("fingerprint").size(), 1U);
  for (const auto& attribute : offer.attributes) EXPECT_NE(attribute.name, "fingerprint");
}

TEST(NormaliseRemote, OnlyUsableCandidatesStayAndOnTheTaggedSection) {
  const auto chromium = offer_of("chromium-offer");
  ASSERT_EQ(chromium.media[0].values("candidate").size(), 1U);
  EXPECT_NE(chromium.media[0].value("candidate").find("192.0.2.7 50000"), std::string::npos);
  const auto firefox = offer_of("firefox-offer");
  ASSERT_EQ(firefox.media[0].values("candidate").size(), 1U);
  EXPECT_NE(firefox.media[0].value("candidate").find("41234"), std::string::npos);
}

TEST(NormaliseRemote, SimulcastAndSpropAreStripped) {
  const auto offer = offer_of("firefox-offer");
  EXPECT_FALSE(offer.media[0].has("simulcast"));
  EXPECT_FALSE(offer.media[0].has("rid"));
  EXPECT_EQ(offer.media[1].codecs()[0].fmtp, "maxplaybackrate=48000;stereo=1;useinbandfec=1");
}

TEST(NormaliseRemote, FloodsOfCandidatesAreCut) {
  auto offer = *parse(sample("chromium-offer"));
  for (int i = 0; i < 400; ++i) {
    offer.media[1].attributes.push_back({"candidate", std::to_string(i) + " 1 udp 1 192.0.2.1 " +
                                                          std::to_string(1000 + i) + " typ host"});
  }
  const auto normalised = normalise_remote(offer, Role::kOffer);
  ASSERT_TRUE(normalised);
  EXPECT_EQ(normalised->media[0].values("candidate").size(), kMaxCandidates);
}

TEST(NormaliseRemote, DirectionOfTheSessionReachesTheSections) {
  auto offer = *parse(sample("chromium-offer"));
  offer.media[0].remove("recvonly");
  offer.attributes.push_back({"inactive", {}});
  const auto normalised = *normalise_remote(offer, Role::kOffer);
  EXPECT_EQ(normalised.media[0].direction(), Direction::kInactive);
  EXPECT_EQ(normalised.media[1].direction(), Direction::kRecvOnly);
}

TEST(NormaliseRemote, RefusesWhatCannotBeServed) {
  struct Case {
    const char* what;
    ErrorCode code;
    std::function<void(Description&)> change;
  };
  const std::vector<Case> cases = {
      {"no fingerprint", ErrorCode::kNotFound,
       [](Description& d) {
         for (auto& media : d.media) media.remove("fingerprint");
       }},
      {"two fingerprints in one bundle", ErrorCode::kInvalid,
       [](Description& d) {
         std::string other = "sha-256 00";
         for (int i = 1; i < 32; ++i) other += ":00";
         d.media[1].set("fingerprint", other);
       }},
      {"SHA-1", ErrorCode::kUnsupported,
       [](Description& d) {
         d.media[0].set("fingerprint",
                        "sha-1 00:11:22:33:44:55:66:77:88:99:aa:bb:cc:dd:ee:ff:00:11:22:33");
       }},
      {"no ufrag", ErrorCode::kInvalid, [](Description& d) { d.media[0].remove("ice-ufrag"); }},
      {"short password", ErrorCode::kInvalid,
       [](Description& d) { d.media[0].set("ice-pwd", "short"); }},
      {"no setup", ErrorCode::kInvalid, [](Description& d) { d.media[0].remove("setup"); }},
      {"holdconn", ErrorCode::kInvalid,
       [](Description& d) { d.media[0].set("setup", "holdconn"); }},
      {"no mid", ErrorCode::kInvalid, [](Description& d) { d.media[1].remove("mid"); }},
      {"mid used twice", ErrorCode::kInvalid, [](Description& d) { d.media[1].set("mid", "0"); }},
      {"not bundled", ErrorCode::kUnsupported,
       [](Description& d) {
         d.set_bundle({"0", "2"});
       }},
      {"no BUNDLE", ErrorCode::kUnsupported, [](Description& d) { d.set_bundle({}); }},
      {"plain RTP", ErrorCode::kUnsupported,
       [](Description& d) { d.media[1].protocol = "RTP/AVP"; }},
      {"no rtcp-mux", ErrorCode::kUnsupported,
       [](Description& d) { d.media[1].remove("rtcp-mux"); }},
      {"other kinds", ErrorCode::kUnsupported, [](Description& d) { d.media[2].type = "message"; }},
      {"all rejected", ErrorCode::kInvalid,
       [](Description& d) {
         for (auto& media : d.media) media.port = 0;
       }},
      {"nothing", ErrorCode::kInvalid, [](Description& d) { d.media.clear(); }},
  };
  for (const auto& c : cases) {
    auto offer = *parse(sample("chromium-offer"));
    c.change(offer);
    const auto normalised = normalise_remote(offer, Role::kOffer);
    ASSERT_FALSE(normalised) << c.what;
    EXPECT_EQ(normalised.error().code, c.code) << c.what << ": " << normalised.error().message;
  }
}

TEST(NormaliseRemote, AnAnswerMustDecideWhoIsClient) {
  EXPECT_FALSE(normalise_remote(*parse(sample("chromium-offer")), Role::kAnswer));
  EXPECT_TRUE(normalise_remote(*parse(sample("webrtcbin-answer")), Role::kAnswer));
}

TEST(Narrow, LeavesTheChosenCodecAndItsRtx) {
  const auto offer = offer_of("chromium-offer");
  const auto narrowed = narrow(offer, {plan_of(offer, "1", 120, Direction::kSendOnly)});
  ASSERT_TRUE(narrowed) << narrowed.error().message;
  ASSERT_EQ(narrowed->media.size(), 1U);
  const auto& video = narrowed->media[0];
  EXPECT_EQ(video.formats, "120 121");
  EXPECT_EQ(video.values("rtpmap").size(), 2U);
  EXPECT_EQ(video.codecs()[0].name, "VP8");
  ASSERT_EQ(video.extensions().size(), 1U) << "of the extensions the one that engines act on";
  EXPECT_EQ(transport_wide_id(video, 120), 3);
  EXPECT_EQ(video.values("candidate").size(), 1U) << "the candidates move with the transport";
  EXPECT_EQ(narrowed->bundle(), std::vector<std::string>{"1"});
}

TEST(Narrow, KeepsTransportWideFeedbackForWhatWeReceive) {
  const auto offer = offer_of("firefox-offer");
  const auto narrowed = narrow(offer, {plan_of(offer, "0", 120, Direction::kRecvOnly)});
  ASSERT_TRUE(narrowed) << narrowed.error().message;
  ASSERT_EQ(narrowed->media[0].extensions().size(), 1U);
  EXPECT_EQ(narrowed->media[0].extensions()[0].uri, kTransportWideCc);
}

TEST(TransportWideId, NeedsTheExtensionAndTheFeedbackOfTheCodec) {
  auto video = offer_of("chromium-offer").media[1];
  EXPECT_EQ(transport_wide_id(video, 120), 3);
  EXPECT_EQ(transport_wide_id(video, 121), 0) << "nothing is fed back about this one";
  auto without = video;
  std::erase_if(without.attributes, [](const Attribute& attribute) {
    return attribute.value.find(kTransportWideCc) != std::string::npos;
  });
  EXPECT_EQ(transport_wide_id(without, 120), 0);
  std::erase_if(video.attributes, [](const Attribute& attribute) {
    return attribute.value.find("transport-cc") != std::string::npos;
  });
  EXPECT_EQ(transport_wide_id(video, 120), 0);
  video.attributes.push_back({"rtcp-fb", "* transport-cc"});
  EXPECT_EQ(transport_wide_id(video, 120), 3);
}

TEST(Narrow, RefusesPlansTheOfferDoesNotAllow) {
  const auto offer = offer_of("chromium-offer");
  auto wrong_mid = plan_of(offer, "1", 120, Direction::kSendOnly);
  wrong_mid.mid = "9";
  EXPECT_FALSE(narrow(offer, {wrong_mid}));
  EXPECT_FALSE(narrow(offer, {plan_of(offer, "1", 120, Direction::kRecvOnly)}));
  auto wrong_type = plan_of(offer, "1", 120, Direction::kSendOnly);
  wrong_type.codec.payload_type = 121;
  EXPECT_FALSE(narrow(offer, {wrong_type}));
  EXPECT_FALSE(narrow(offer, {}));
}

TEST(Widen, SectionsLeftOutAreAnsweredInPlace) {
  const auto offer = offer_of("chromium-offer");
  const auto plan = plan_of(offer, "1", 120, Direction::kSendOnly);
  const auto wide = normalise_local(widen(*parse(sample("webrtcbin-answer")), offer), {plan});
  ASSERT_EQ(wide.media.size(), 3U);
  EXPECT_EQ(wide.bundle(), (std::vector<std::string>{"0", "1"}));
  const auto& audio = wide.media[0];
  EXPECT_EQ(audio.direction(), Direction::kInactive);
  EXPECT_EQ(audio.port, 9);
  EXPECT_EQ(audio.value("ice-ufrag"), wide.media[1].value("ice-ufrag"));
  EXPECT_EQ(audio.formats, "111");
  EXPECT_EQ(wide.media[2].port, 0);
  EXPECT_TRUE(wide.media[2].rejected());
  EXPECT_EQ(wide.media[2].mid(), "2");
}

TEST(NormaliseLocal, IsWhatBrowsersExpect) {
  auto plan = plan_of(offer_of("chromium-offer"), "1", 120, Direction::kSendOnly);
  plan.codec.fmtp = "max-fr=30";
  const auto local = normalise_local(*parse(sample("webrtcbin-answer")), {plan});
  const auto& video = local.media[0];
  EXPECT_TRUE(video.has("rtcp-mux-only"));
  EXPECT_TRUE(video.has("end-of-candidates"));
  EXPECT_EQ(video.value("msid"), "cam 1");
  ASSERT_EQ(video.values("candidate").size(), 1U) << "no TCP, no fe80, no repeats";
  EXPECT_NE(video.value("candidate").find("192.0.2.2 40000"), std::string::npos);
  for (const auto value : video.values("ssrc")) EXPECT_EQ(value.find("msid"), std::string::npos);
  EXPECT_EQ(video.codecs()[0].fmtp, "max-fr=30");
  EXPECT_EQ(video.rtx_of(120), 121);
}

TEST(AlignAnswer, RejectedSectionsBecomeInactive) {
  const auto offer = offer_of("chromium-offer");
  auto answer = offer;
  for (auto& media : answer.media) {
    media.set("setup", "active");
    if (media.kind != MediaKind::kData) media.set_direction(Direction::kSendOnly);
  }
  answer.media[0].port = 0;
  const auto aligned = align_answer(answer, offer);
  ASSERT_TRUE(aligned) << aligned.error().message;
  EXPECT_EQ(aligned->media[0].direction(), Direction::kInactive);
  EXPECT_EQ(aligned->media[0].port, 9);
  EXPECT_EQ(aligned->media[0].value("setup"), "active");
  EXPECT_EQ(aligned->bundle().front(), "0") << "webrtcbin's transport is found by it";
}

TEST(AlignAnswer, RefusesAnotherShape) {
  const auto offer = offer_of("chromium-offer");
  auto answer = offer;
  for (auto& media : answer.media) {
    if (media.kind != MediaKind::kData) media.set_direction(Direction::kSendOnly);
  }
  ASSERT_TRUE(align_answer(answer, offer));
  auto fewer = answer;
  fewer.media.pop_back();
  EXPECT_FALSE(align_answer(fewer, offer));
  auto swapped = answer;
  std::swap(swapped.media[0], swapped.media[1]);
  EXPECT_FALSE(align_answer(swapped, offer));
  auto renamed = answer;
  renamed.media[0].set("mid", "x");
  EXPECT_FALSE(align_answer(renamed, offer));
  auto foreign = answer;
  foreign.media[1].formats = "77";
  EXPECT_FALSE(align_answer(foreign, offer));
  auto turned = answer;
  turned.media[1].set_direction(Direction::kSendRecv);
  EXPECT_FALSE(align_answer(turned, offer));
}

TEST(Agreed, TakesPayloadTypesOfTheRemoteSide) {
  const auto remote = offer_of("chromium-offer");
  auto plan = plan_of(remote, "1", 120, Direction::kSendOnly);
  const auto as_offer = agreed({plan}, remote, Role::kOffer);
  ASSERT_EQ(as_offer.size(), 1U);
  EXPECT_EQ(as_offer[0].direction, Direction::kSendOnly);
  EXPECT_EQ(as_offer[0].codec.payload_type, 120);
  plan.codec.payload_type = 96;  // Our number; theirs differs.
  const auto as_answer = agreed({plan}, remote, Role::kAnswer);
  ASSERT_EQ(as_answer.size(), 1U);
  EXPECT_EQ(as_answer[0].codec.payload_type, 120);
  auto rejected = remote;
  rejected.media[1].port = 0;
  EXPECT_TRUE(agreed({plan}, rejected, Role::kAnswer).empty());
}

}  // namespace
}  // namespace sotto::rtc::sdp
