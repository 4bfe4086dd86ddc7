// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/rtc/direct/messages.h"

#include <gtest/gtest.h>

namespace sotto::rtc::direct {
namespace {

template <class T>
T back(const T& message) {
  const auto parsed = parse(print(message));
  EXPECT_TRUE(parsed) << (parsed ? "" : parsed.error().message);
  return parsed ? std::get<T>(*parsed) : T{};
}

ErrorCode refusal(const std::string& text) {
  const auto parsed = parse(text);
  EXPECT_FALSE(parsed) << text;
  return parsed ? ErrorCode::kInternal : parsed.error().code;
}

TEST(DirectMessages, EachComesBackAsItWas) {
  const auto offer = back(Offer{"s1", "v=0\r\n", {{"stun:a:1", {}, {}}, {"turn:b", "u", "p"}}});
  EXPECT_EQ(offer.session, "s1");
  EXPECT_EQ(offer.sdp, "v=0\r\n");
  ASSERT_EQ(offer.ice_servers.size(), 2U);
  EXPECT_EQ(offer.ice_servers[0].url, "stun:a:1");
  EXPECT_EQ(offer.ice_servers[1].credential, "p");
  const auto trickle = back(Trickle{"s1", {"video", 1, "candidate:1"}});
  EXPECT_EQ(trickle.candidate.mid, "video");
  EXPECT_EQ(trickle.candidate.mline_index, 1);
  EXPECT_EQ(trickle.candidate.candidate, "candidate:1");
  EXPECT_TRUE(back(Relay{true}).wanted);
  EXPECT_FALSE(back(Relay{false}).wanted);
  EXPECT_EQ(back(Answer{"s1", "v=0"}).sdp, "v=0");
  EXPECT_EQ(back(Connected{"s1"}).session, "s1");
  EXPECT_EQ(back(End{"s1", "gone"}).reason, "gone");
  const auto failed = back(failure("s1", {ErrorCode::kUnavailable, "full"}));
  EXPECT_EQ(failed.code, "unavailable");
  EXPECT_EQ(failed.message, "full");
  EXPECT_EQ(back(failure({}, {ErrorCode::kParse, "what"})).session, "");
}

TEST(DirectMessages, WhatIsNoGoodIsRefusedWithItsReason) {
  EXPECT_EQ(refusal(""), ErrorCode::kParse);
  EXPECT_EQ(refusal("[]"), ErrorCode::kParse);
  EXPECT_EQ(refusal(R"({"type":"end","type":"end","session":"a"})"), ErrorCode::kParse);
  EXPECT_EQ(refusal(R"({"type":"dance"})"), ErrorCode::kUnsupported);
  EXPECT_EQ(refusal(R"({"type":1})"), ErrorCode::kUnsupported);
  EXPECT_EQ(refusal(R"({"type":"answer","sdp":"v=0"})"), ErrorCode::kInvalid);
  EXPECT_EQ(refusal(R"({"type":"answer","session":"","sdp":"v=0"})"), ErrorCode::kInvalid);
  EXPECT_EQ(refusal(R"({"type":"answer","session":"a","sdp":""})"), ErrorCode::kInvalid);
  EXPECT_EQ(refusal(R"({"type":"answer","session":"a","sdp":[]})"), ErrorCode::kInvalid);
  EXPECT_EQ(refusal(R"({"type":"relay"})"), ErrorCode::kInvalid);
  EXPECT_EQ(refusal(R"({"type":"relay","wanted":1})"), ErrorCode::kInvalid);
  EXPECT_EQ(refusal(R"({"type":"error","session":"a"})"), ErrorCode::kInvalid);
  EXPECT_EQ(refusal(R"({"type":"candidate","session":"a","candidate":"c","index":-1})"),
            ErrorCode::kInvalid);
  EXPECT_EQ(refusal(R"({"type":"candidate","session":"a","candidate":"c","index":1e9})"),
            ErrorCode::kInvalid);
  EXPECT_EQ(refusal(R"({"type":"offer","session":"a","sdp":"v","ice_servers":[1]})"),
            ErrorCode::kInvalid);
  EXPECT_EQ(refusal(R"({"type":"offer","session":"a","sdp":"v","ice_servers":[{}]})"),
            ErrorCode::kInvalid);
}

TEST(DirectMessages, EveryMemberHasABound) {
  const std::string name(kMaxNameBytes, 'n');
  EXPECT_EQ(back(Connected{name}).session, name);
  EXPECT_EQ(refusal(print(Connected{name + "n"})), ErrorCode::kTooLarge);
  const std::string sdp(kMaxSdpBytes, 's');
  EXPECT_EQ(back(Answer{"s", sdp}).sdp, sdp);
  EXPECT_EQ(refusal(print(Answer{"s", sdp + "s"})), ErrorCode::kTooLarge);
  EXPECT_EQ(refusal(print(Trickle{"s", {"", 0, std::string(kMaxCandidateBytes + 1, 'c')}})),
            ErrorCode::kTooLarge);
  EXPECT_EQ(refusal(print(Offer{"s", "v", std::vector<IceServer>(kMaxIceServers + 1)})),
            ErrorCode::kInvalid);
  EXPECT_EQ(refusal(print(Offer{"s", "v", {{std::string(kMaxIceServerBytes + 1, 'u'), {}, {}}}})),
            ErrorCode::kTooLarge);
  EXPECT_EQ(refusal(std::string(kMaxMessageBytes + 1, ' ')), ErrorCode::kTooLarge);
  EXPECT_EQ(refusal(R"({"type":"end","session":"a","x":[[[[[[[[]]]]]]]]})"), ErrorCode::kTooLarge);
  // Words for people are cut instead, in the middle of a character too.
  EXPECT_EQ(back(End{"s", std::string(2 * kMaxTextBytes, 'r')}).reason.size(), kMaxTextBytes);
  std::string umlauts;
  while (umlauts.size() <= kMaxTextBytes) umlauts += umlauts.empty() ? "x" : "ü";
  EXPECT_LE(back(End{"s", umlauts}).reason.size(), kMaxTextBytes);
}

}  // namespace
}  // namespace sotto::rtc::direct
