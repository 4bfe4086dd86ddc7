// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// Offers that change what is sent, and those that would change how.
#include "core/rtc/sdp/again.h"

#include "core/rtc/sdp/normalise.h"
#include "tests/core/rtc/sdp/samples.h"

#include <gtest/gtest.h>

#include <functional>

namespace sotto::rtc::sdp {
namespace {

/// A browser's offer, and what we answered: everything mirrored, one codec each.
struct Session {
  Session() {
    offer = *normalise_remote(*parse(sample("chromium-offer")), Role::kOffer);
    answer = offer;
    for (auto& section : answer.media) {
      if (section.kind == MediaKind::kData) continue;
      section.formats = std::to_string(section.codecs().at(0).payload_type);
      section.set_direction(Direction::kSendRecv);
    }
    for (auto& section : offer.media) {
      if (section.kind != MediaKind::kData) section.set_direction(Direction::kSendRecv);
    }
    for (auto& line : answer.session_lines) {
      if (line.rfind("o=", 0) == 0) line = "o=- 77 5 IN IP4 127.0.0.1";
    }
  }
  Result<Description> again(const std::function<void(Description&)>& change) const {
    Description next = offer;
    change(next);
    return answer_again(next, offer, answer, 2);
  }
  Description offer;
  Description answer;
};

TEST(AnswerAgain, DirectionsFollowTheOfferWithinWhatWasAgreed) {
  Session session;
  const auto answered = [&](Direction first, Direction theirs) {
    session.answer.media[0].set_direction(first);
    const auto made =
        session.again([&](Description& next) { next.media[0].set_direction(theirs); });
    EXPECT_TRUE(made) << made.error().message;
    return made ? made->media[0].direction() : Direction::kInactive;
  };
  using D = Direction;
  EXPECT_EQ(answered(D::kSendRecv, D::kSendRecv), D::kSendRecv);
  EXPECT_EQ(answered(D::kSendRecv, D::kRecvOnly), D::kSendOnly);
  EXPECT_EQ(answered(D::kSendRecv, D::kSendOnly), D::kRecvOnly);
  EXPECT_EQ(answered(D::kSendRecv, D::kInactive), D::kInactive);
  EXPECT_EQ(answered(D::kRecvOnly, D::kSendRecv), D::kRecvOnly) << "no more than at first";
  EXPECT_EQ(answered(D::kRecvOnly, D::kRecvOnly), D::kInactive);
  EXPECT_EQ(answered(D::kInactive, D::kSendRecv), D::kInactive);
}

TEST(AnswerAgain, ChangesNothingElseButTheVersion) {
  const Session session;
  const auto made = session.again([](Description&) {});
  ASSERT_TRUE(made) << made.error().message;
  Description expected = session.answer;
  for (auto& line : expected.session_lines) {
    if (line.rfind("o=", 0) == 0) line = "o=- 77 7 IN IP4 127.0.0.1";
  }
  EXPECT_EQ(print(*made), print(expected));
}

TEST(AnswerAgain, WhatNeedsANewSessionIsSaidSo) {
  const Session session;
  const auto refused = [&](const std::function<void(Description&)>& change) {
    const auto made = session.again(change);
    EXPECT_FALSE(made);
    if (made) return std::string();
    EXPECT_EQ(made.error().code, ErrorCode::kUnsupported);
    return made.error().message;
  };
  const auto said = [&](const std::function<void(Description&)>& change, const char* words) {
    const auto message = refused(change);
    EXPECT_NE(message.find(words), std::string::npos) << message;
  };
  said(
      [](Description& next) {
        for (auto& m : next.media) m.set("ice-ufrag", "next");
      },
      "ICE restart");
  said(
      [](Description& next) {
        for (auto& m : next.media) m.set("ice-pwd", "nextnextnextnextnextnext");
      },
      "ICE restart");
  said(
      [](Description& next) {
        for (auto& m : next.media) {
          auto print = std::string(m.value("fingerprint"));
          print.back() = print.back() == '0' ? '1' : '0';
          m.set("fingerprint", print);
        }
      },
      "another certificate");
  said([](Description& next) { next.media.push_back(next.media.back()); }, "number of sections");
  said([](Description& next) { next.media.pop_back(); }, "number of sections");
  said([](Description& next) { next.media[0].set("mid", "other"); }, "another section other");
  said([](Description& next) { next.media[0].formats = "126"; }, "another codec");
  said(
      [](Description& next) {
        next.media[0].port = 0;
        next.media[0].remove("bundle-only");
      },
      "giving up section");
}

}  // namespace
}  // namespace sotto::rtc::sdp
