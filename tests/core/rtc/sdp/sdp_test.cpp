// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// The SDP model: what real clients write is read, nothing is lost in print, limits hold.
#include "core/rtc/sdp/sdp.h"

#include "core/rtc/sdp/candidate.h"
#include "tests/core/rtc/sdp/samples.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace sotto::rtc::sdp {
namespace {

constexpr std::string_view kHead = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n";

std::string with_head(const std::string& rest) { return std::string(kHead) + rest; }

TEST(Sdp, ReadsChromiumsOffer) {
  const auto offer = parse(sample("chromium-offer"));
  ASSERT_TRUE(offer) << offer.error().message;
  ASSERT_EQ(offer->media.size(), 3U);
  EXPECT_EQ(offer->bundle(), (std::vector<std::string>{"0", "1", "2"}));
  EXPECT_EQ(offer->media[0].kind, MediaKind::kAudio);
  EXPECT_EQ(offer->media[0].port, 50000);
  EXPECT_EQ(offer->media[0].connection, "IN IP4 192.0.2.7");
  EXPECT_EQ(offer->media[2].kind, MediaKind::kData);
  EXPECT_EQ(offer->media[1].direction(), Direction::kRecvOnly);
  EXPECT_EQ(*offer->index_of("1"), 1U);
  EXPECT_FALSE(offer->index_of("3"));

  const auto audio = offer->media[0].codecs();
  ASSERT_EQ(audio.size(), 4U);  // Neither RED, nor comfort noise, nor telephone events.
  EXPECT_EQ(audio[0].name, "opus");
  EXPECT_EQ(audio[0].payload_type, 111);
  EXPECT_EQ(audio[0].clock_rate, 48000U);
  EXPECT_EQ(audio[0].channels, 2U);
  EXPECT_EQ(audio[0].fmtp, "minptime=10;useinbandfec=1");
  const auto video = offer->media[1].codecs();
  ASSERT_EQ(video.size(), 3U);
  EXPECT_EQ(video[2].name, "H264");
  EXPECT_EQ(offer->media[1].rtx_of(120), 121);
  EXPECT_EQ(offer->media[1].rtx_of(102), 103);
  EXPECT_FALSE(offer->media[1].rtx_of(114));
  EXPECT_EQ(offer->media[1].extensions().size(), 4U);

  const auto fingerprint = offer->fingerprint(1);
  ASSERT_TRUE(fingerprint);
  EXPECT_EQ(fingerprint->algorithm, "sha-256");
  EXPECT_EQ(fingerprint->digest.size(), 32U);
  EXPECT_EQ(fingerprint->digest[0], 0x6b);
}

TEST(Sdp, SessionFingerprintServesSectionsWithout) {
  const auto offer = parse(sample("firefox-offer"));
  ASSERT_TRUE(offer);
  EXPECT_EQ(offer->fingerprint(0)->digest[0], 0x21);
  EXPECT_EQ(offer->fingerprint(0)->digest, offer->fingerprint(1)->digest);
  EXPECT_EQ(offer->media[0].extensions()[2].id, 9);  // "9/sendonly"
}

TEST(Sdp, ASectionsOwnBadFingerprintIsNotReplacedByTheSessions) {
  auto offer = *parse(sample("firefox-offer"));
  offer.media[0].set("fingerprint", "sha-1 00:11");
  EXPECT_EQ(offer.fingerprint(0).error().code, ErrorCode::kUnsupported);
  EXPECT_TRUE(offer.fingerprint(1));
}

TEST(Sdp, PrintLosesNothing) {
  for (const char* name :
       {"chromium-offer", "firefox-offer", "rfc9725-offer", "webrtcbin-answer"}) {
    const auto text = sample(name);
    const auto once = parse(text);
    ASSERT_TRUE(once) << name;
    const auto printed = print(*once);
    EXPECT_EQ(print(*parse(printed)), printed) << name;
    // Line for line the same, but for the line ends.
    auto plain = printed;
    plain.erase(std::remove(plain.begin(), plain.end(), '\r'), plain.end());
    EXPECT_EQ(plain, text) << name;
  }
}

TEST(Sdp, StaticPayloadTypesNeedNoMap) {
  const auto offer = parse(with_head("m=audio 9 UDP/TLS/RTP/SAVPF 0 8 9 18\r\n"));
  ASSERT_TRUE(offer);
  const auto codecs = offer->media[0].codecs();
  ASSERT_EQ(codecs.size(), 3U);
  EXPECT_EQ(codecs[0].name, "PCMU");
  EXPECT_EQ(codecs[2].clock_rate, 8000U);
}

TEST(Sdp, CodecNamesGetTheirRegisteredSpelling) {
  const auto offer =
      parse(with_head("m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=rtpmap:96 vp8/90000\r\n"));
  EXPECT_EQ(offer->media[0].codecs()[0].name, "VP8");
}

TEST(Sdp, BundleOnlyIsNotRejected) {
  const auto offer = parse(sample("rfc9725-offer"));
  ASSERT_TRUE(offer);
  EXPECT_EQ(offer->media[1].port, 0);
  EXPECT_FALSE(offer->media[1].rejected());
  const auto other = parse(with_head("m=video 0 UDP/TLS/RTP/SAVPF 96\r\n"));
  EXPECT_TRUE(other->media[0].rejected());
}

TEST(Sdp, EditsAttributes) {
  Media media;
  media.set("mid", "a");
  media.set("mid", "b");
  media.set_direction(Direction::kRecvOnly);
  media.set_direction(Direction::kInactive);
  EXPECT_EQ(media.attributes.size(), 2U);
  EXPECT_EQ(media.mid(), "b");
  EXPECT_EQ(media.direction(), Direction::kInactive);
  media.remove("mid");
  EXPECT_FALSE(media.has("mid"));
}

TEST(Sdp, RefusesWhatItCannotKeepApart) {
  const std::string nul("v=0\r\ns=\0\r\n", 10);
  for (const std::string& text :
       {std::string(), std::string("\r\n"), std::string("hello"), std::string("v=1\r\n"),
        std::string("s=-\r\nv=0\r\n"), nul, std::string("v=0\r\nA=b\r\n"),
        std::string("v=0\r\na:b\r\n"), std::string("v=0\r\n\r\ns=-\r\n"),
        std::string("v=0\r\ns=a\rb\r\n"), with_head("m=audio\r\n"),
        with_head("m=audio 70000 RTP/AVP 0\r\n"), with_head("m=audio -1 RTP/AVP 0\r\n"),
        with_head("m=audio 9 RTP/AVP\r\n"), with_head("m= 9 RTP/AVP 0\r\n"), with_head("a=\r\n"),
        with_head("a=:x\r\n"), with_head("a=na me\r\n")}) {
    const auto parsed = parse(text);
    ASSERT_FALSE(parsed) << text;
    EXPECT_EQ(parsed.error().code, ErrorCode::kParse) << text;
  }
}

TEST(Sdp, BoundsHold) {
  const auto too_large = [](const std::string& text) {
    const auto parsed = parse(text);
    return !parsed && parsed.error().code == ErrorCode::kTooLarge;
  };
  EXPECT_TRUE(too_large(std::string(kMaxBytes + 1, 'v')));
  EXPECT_TRUE(too_large(with_head("a=x:" + std::string(kMaxLineBytes, 'y') + "\r\n")));
  std::string sections;
  for (std::size_t i = 0; i <= kMaxMedia; ++i) sections += "m=audio 9 RTP/AVP 0\r\n";
  EXPECT_TRUE(too_large(with_head(sections)));
  std::string attributes;
  for (std::size_t i = 0; i <= kMaxAttributes; ++i) attributes += "a=x\r\n";
  EXPECT_TRUE(too_large(with_head(attributes)));
  EXPECT_TRUE(too_large(with_head("m=audio 9 RTP/AVP 0\r\n" + attributes)));
}

TEST(Sdp, FingerprintsAreReadStrictly) {
  const auto fingerprint = [](const std::string& value) {
    return parse(with_head("m=audio 9 RTP/AVP 0\r\na=fingerprint:" + value + "\r\n"))
        ->fingerprint(0);
  };
  std::string good;
  for (int i = 0; i < 32; ++i) good += i == 0 ? "ab" : ":AB";
  EXPECT_TRUE(fingerprint("SHA-256 " + good));
  EXPECT_FALSE(fingerprint("sha-256 " + good + ":AB"));
  EXPECT_FALSE(fingerprint("sha-256 " + good.substr(3)));
  EXPECT_FALSE(fingerprint("sha-384 " + good));
  EXPECT_FALSE(fingerprint("sha-1 " + good.substr(0, 59)));
  good[2] = '-';
  EXPECT_FALSE(fingerprint("sha-256 " + good));
  EXPECT_FALSE(parse(with_head("m=audio 9 RTP/AVP 0\r\n"))->fingerprint(0));
  EXPECT_FALSE(parse(with_head("m=audio 9 RTP/AVP 0\r\n"))->fingerprint(1));
}

TEST(IceCandidate, ReadsWhatClientsSend) {
  const auto host = parse_candidate(
      "candidate:842163049 1 udp 1677729535 192.0.2.7 50000 typ srflx raddr 0.0.0.0 rport 0");
  ASSERT_TRUE(host) << host.error().message;
  EXPECT_EQ(host->address, "192.0.2.7");
  EXPECT_EQ(host->port, 50000);
  EXPECT_EQ(host->type, "srflx");
  EXPECT_TRUE(unusable(*host).empty());
  EXPECT_TRUE(parse_candidate("a=candidate:1 1 UDP 1 2001:db8::1 5 typ host ufrag x"));
}

TEST(IceCandidate, NamesWhatIsOfNoUse) {
  for (const char* text :
       {"candidate:1 1 udp 1 e6cf3f2a.local 5 typ host", "candidate:1 2 udp 1 192.0.2.1 5 typ host",
        "candidate:1 1 tcp 1 192.0.2.1 9 typ host tcptype active",
        "candidate:1 1 udp 1 fe80::1 5 typ host", "candidate:1 1 udp 1 0.0.0.0 5 typ host",
        "candidate:1 1 udp 1 :: 5 typ host", "candidate:1 1 udp 1 224.0.0.1 5 typ host",
        "candidate:1 1 udp 1 ff02::1 5 typ host", "candidate:1 1 udp 1 example.org 5 typ host",
        "candidate:1 1 udp 1 192.0.2.1 0 typ host"}) {
    const auto candidate = parse_candidate(text);
    ASSERT_TRUE(candidate) << text;
    EXPECT_FALSE(unusable(*candidate).empty()) << text;
  }
}

TEST(IceCandidate, RefusesGarbage) {
  for (const std::string& text :
       {std::string(), std::string("candidate:"), std::string("candidate:1 1 udp 1 a 5 typ"),
        std::string("candidate:1 0 udp 1 192.0.2.1 5 typ host"),
        std::string("candidate:1 1 sctp 1 192.0.2.1 5 typ host"),
        std::string("candidate:1 1 udp x 192.0.2.1 5 typ host"),
        std::string("candidate:1 1 udp 1 192.0.2.1 65536 typ host"),
        std::string("candidate:1 1 udp 1 192.0.2.1 5 type host"),
        std::string("candidate:1 1 udp 1 192.0.2.1 5 typ guest"),
        std::string("candidate:1 1 udp 1 192.0.2.1 5\r\na=x typ host"),
        "candidate:" + std::string(33, '1') + " 1 udp 1 192.0.2.1 5 typ host",
        "candidate:1 1 udp 1 192.0.2.1 5 typ host " + std::string(2000, 'x')}) {
    EXPECT_FALSE(parse_candidate(text)) << text;
  }
}

}  // namespace
}  // namespace sotto::rtc::sdp
