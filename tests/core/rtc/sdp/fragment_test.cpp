// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// Trickle fragments: RFC 8840's shape, both places of ufrag, limits and garbage.
#include "core/rtc/sdp/fragment.h"

#include <gtest/gtest.h>

namespace sotto::rtc::sdp {
namespace {

TEST(SdpFragment, ReadsCredentialsCandidatesAndTheEnd) {
  const auto fragment = parse_fragment(
      "a=ice-ufrag:EsAw\r\n"
      "a=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r\n"
      "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\n"
      "a=mid:0\r\n"
      "a=candidate:1387637174 1 udp 2122260223 192.0.2.1 61764 typ host generation 0\r\n"
      "a=end-of-candidates\r\n");
  ASSERT_TRUE(fragment) << fragment.error().message;
  EXPECT_EQ(fragment->ice_ufrag, "EsAw");
  EXPECT_EQ(fragment->ice_pwd, "P2uYro0UCOQ4zxjKXaWCBui1");
  ASSERT_EQ(fragment->candidates.size(), 2U);
  EXPECT_EQ(fragment->candidates[0].mid, "0");
  EXPECT_EQ(fragment->candidates[0].candidate,
            "candidate:1387637174 1 udp 2122260223 192.0.2.1 61764 typ host generation 0");
  EXPECT_TRUE(fragment->candidates[1].candidate.empty());
}

TEST(SdpFragment, CountsSectionsAndTakesBareNewlines) {
  const auto fragment = parse_fragment(
      "m=audio 9 X 0\na=mid:a\nm=video 9 X 0\na=mid:v\na=ice-ufrag:u\n"
      "a=candidate:1 1 udp 1 192.0.2.1 1 typ host");
  ASSERT_TRUE(fragment);
  EXPECT_EQ(fragment->ice_ufrag, "u");
  ASSERT_EQ(fragment->candidates.size(), 1U);
  EXPECT_EQ(fragment->candidates[0].mid, "v");
  EXPECT_EQ(fragment->candidates[0].mline_index, 1);
}

TEST(SdpFragment, AnEmptyOneIsNoError) {
  ASSERT_TRUE(parse_fragment(""));
  EXPECT_TRUE(parse_fragment("\r\n\r\n")->candidates.empty());
}

TEST(SdpFragment, RefusesGarbageAndWhatIsTooMuch) {
  EXPECT_EQ(parse_fragment("hello").error().code, ErrorCode::kParse);
  EXPECT_EQ(parse_fragment("{\"janus\":1}").error().code, ErrorCode::kParse);
  EXPECT_EQ(parse_fragment(std::string(kMaxFragmentBytes + 1, 'a')).error().code,
            ErrorCode::kTooLarge);
  std::string many;
  for (std::size_t i = 0; i <= kMaxFragmentCandidates; ++i) many += "a=candidate:1\n";
  EXPECT_EQ(parse_fragment(many).error().code, ErrorCode::kTooLarge);
}

}  // namespace
}  // namespace sotto::rtc::sdp
