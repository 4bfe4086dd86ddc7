// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// What a publisher may offer, and how each thing it may not is refused.
#include "server/whip/offer.h"

#include "server/whep/wish.h"
#include "tests/server/signaling/offers.h"

#include <gtest/gtest.h>

namespace sotto::server {
namespace {

using test::audio_section;
using test::video_section;

rtc::sdp::Description parsed(const std::string& sections) {
  auto description = rtc::sdp::parse(test::offer(sections));
  EXPECT_TRUE(description) << description.error().message;
  return *description;
}

TEST(WhipOffer, TakesTheFirstCodecOfEachSectionThatCanBeRelayed) {
  const auto plans =
      plan_publication(parsed(audio_section("sendonly") + video_section("sendonly")));
  ASSERT_TRUE(plans) << plans.error().message;
  ASSERT_EQ(plans->size(), 2U);
  EXPECT_EQ((*plans)[0].codec.name, "opus");
  EXPECT_EQ((*plans)[0].codec.payload_type, 111);
  EXPECT_EQ((*plans)[1].codec.name, "VP8");
  EXPECT_EQ((*plans)[1].mid, "1");
  EXPECT_EQ((*plans)[1].direction, rtc::Direction::kRecvOnly);
}

TEST(WhipOffer, SendrecvIsTolerated) {
  EXPECT_TRUE(plan_publication(parsed(video_section("sendrecv"))));
}

TEST(WhipOffer, RefusesWholeWhatDoesNotFit) {
  EXPECT_FALSE(plan_publication(parsed(video_section("recvonly"))));
  EXPECT_FALSE(plan_publication(parsed(video_section("inactive"))));
  EXPECT_FALSE(
      plan_publication(parsed(video_section("sendonly", "0") + video_section("sendonly", "1"))));
  EXPECT_FALSE(plan_publication(parsed(
      video_section("sendonly", "1", "a=rid:h send\r\na=rid:l send\r\na=simulcast:send h;l\r\n"))));
  EXPECT_FALSE(plan_publication(
      parsed(test::section("video", "1", "sendonly", "99", "a=rtpmap:99 SORENSON/90000\r\n"))));
  for (const auto& refused :
       {plan_publication(parsed(video_section("recvonly"))), plan_publication({})}) {
    EXPECT_EQ(refused.error().code, ErrorCode::kUnsupported);
    EXPECT_FALSE(refused.error().message.empty());
  }
}

TEST(WhepWish, HoldsEveryCodecOfferedAndWhichKindsAreAsked) {
  const auto wish = wish_of(parsed(audio_section("recvonly") + video_section("recvonly")));
  ASSERT_TRUE(wish);
  EXPECT_TRUE(wish->audio);
  EXPECT_TRUE(wish->video);
  EXPECT_EQ(wish->accept.size(), 4U);  // opus, PCMU, VP8, H264; RTX is no codec.
  EXPECT_FALSE(wish_of(parsed(video_section("recvonly")))->audio);
}

TEST(WhepWish, RefusesSendersAndDoubles) {
  EXPECT_FALSE(wish_of(parsed(video_section("sendonly"))));
  EXPECT_FALSE(wish_of(parsed(video_section("recvonly", "0") + video_section("recvonly", "1"))));
  EXPECT_FALSE(wish_of({}));
}

}  // namespace
}  // namespace sotto::server
