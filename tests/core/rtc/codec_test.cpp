// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// Which streams a receiver's offer covers.
#include "core/rtc/codec.h"

#include <gtest/gtest.h>

namespace sotto::rtc {
namespace {

Codec video(const char* name, const char* fmtp = "") {
  return {MediaKind::kVideo, name, 96, 90000, 1, fmtp};
}
Codec audio(const char* name, unsigned rate, unsigned channels) {
  return {MediaKind::kAudio, name, -1, rate, channels, {}};
}

TEST(Fmtp, ValuesAreFoundWhateverTheSpacingAndCase) {
  constexpr auto kFmtp =
      "level-asymmetry-allowed=1; Packetization-Mode=1 ;profile-level-id=42e01f;";
  EXPECT_EQ(fmtp_value(kFmtp, "packetization-mode"), "1");
  EXPECT_EQ(fmtp_value(kFmtp, "profile-level-id"), "42e01f");
  EXPECT_EQ(fmtp_value(kFmtp, "mode"), "");
  EXPECT_EQ(fmtp_value("sprop-parameter-sets=Z0LAH9kAQ==,aMs=", "sprop-parameter-sets"),
            "Z0LAH9kAQ==,aMs=");
  for (const char* odd : {"", ";", ";;=;", "=1", "profile-level-id", "   "}) {
    EXPECT_EQ(fmtp_value(odd, "profile-level-id"), "") << odd;
  }
}

TEST(Accepts, NameClockAndChannelsMustAgreeAndPayloadTypesNeedNot) {
  Codec other_number = video("VP8");
  other_number.payload_type = 120;
  EXPECT_TRUE(accepts(other_number, video("VP8")));
  EXPECT_TRUE(accepts(video("vp8"), video("VP8")));
  EXPECT_FALSE(accepts(video("VP9"), video("VP8")));
  EXPECT_TRUE(accepts(audio("opus", 48000, 2), audio("OPUS", 48000, 2)));
  EXPECT_FALSE(accepts(audio("opus", 48000, 2), audio("opus", 48000, 1)));
  EXPECT_FALSE(accepts(audio("L16", 44100, 1), audio("L16", 48000, 1)));
  EXPECT_FALSE(accepts(audio("VP8", 90000, 1), video("VP8")));
}

TEST(Accepts, H264OfTheCommonProfilesPlaysWhereAnyOfThemIsListed) {
  const Codec offer = video("H264", "packetization-mode=1;profile-level-id=42e01f");
  for (const char* id : {"42c01e", "42e01f", "4d0028", "640028", "64001F"}) {
    const std::string fmtp = std::string("packetization-mode=1;profile-level-id=") + id;
    EXPECT_TRUE(accepts(offer, video("H264", fmtp.c_str()))) << id;
  }
  // High 10, 4:2:2, 4:4:4 and Extended are families of their own.
  for (const char* id : {"6e0028", "7a0028", "f4001f", "580028"}) {
    const std::string fmtp = std::string("packetization-mode=1;profile-level-id=") + id;
    EXPECT_FALSE(accepts(offer, video("H264", fmtp.c_str()))) << id;
    EXPECT_TRUE(accepts(video("H264", fmtp.c_str()), video("H264", fmtp.c_str()))) << id;
  }
}

TEST(Accepts, H264PacketizationModeOneTakesZeroButNotTheOtherWayRound) {
  const Codec zero = video("H264", "profile-level-id=42e01f");
  const Codec one = video("H264", "packetization-mode=1;profile-level-id=42e01f");
  const Codec two = video("H264", "packetization-mode=2;profile-level-id=42e01f");
  EXPECT_TRUE(accepts(one, zero));
  EXPECT_FALSE(accepts(zero, one));
  EXPECT_FALSE(accepts(one, two));
}

TEST(Accepts, ProfilesOfTheOtherCodecsMustBeEqual) {
  EXPECT_TRUE(accepts(video("VP9", "profile-id=0"), video("VP9")));
  EXPECT_FALSE(accepts(video("VP9", "profile-id=0"), video("VP9", "profile-id=2")));
  EXPECT_TRUE(accepts(video("AV1", "level-idx=5;profile=0;tier=0"), video("AV1")));
  EXPECT_FALSE(accepts(video("AV1"), video("AV1", "profile=1")));
  EXPECT_TRUE(accepts(video("H265", "profile-id=1;level-id=93"), video("H265", "level-id=120")));
  EXPECT_FALSE(accepts(video("H265", "profile-id=1"), video("H265", "profile-id=2")));
}

TEST(Accepts, MalformedProfilesCountAsBaseline) {
  EXPECT_TRUE(
      accepts(video("H264", "profile-level-id=42e01f"), video("H264", "profile-level-id=zzzzzz")));
  EXPECT_TRUE(accepts(video("H264", "profile-level-id=42e0"), video("H264")));
}

}  // namespace
}  // namespace sotto::rtc
