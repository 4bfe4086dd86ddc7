// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// What a viewer of a track sees: its numbers and times, and what it begins with.
#include "tests/core/rtc/fanout/track_fixture.h"

namespace sotto::rtc {
namespace {

using namespace std::chrono_literals;
using testing::kOpus;
using testing::kVp8;
using testing::Numbers;
using testing::Source;
using testing::TrackTest;

TEST_F(TrackTest, AViewerSeesItsOwnPayloadTypeAndSsrcAndNumbersWithoutGaps) {
  const auto track = Track::create(kVp8);
  const auto sink = viewer();
  const auto subscription = track->subscribe(sink, {.payload_type = 120, .ssrc = 0xCAFE});
  track->on_frame(source_.key());
  for (int i = 0; i < 50; ++i) track->on_frame(source_.inter());
  ASSERT_TRUE(sink->wait_for(51));
  EXPECT_EQ(sink->ssrc(), 0xCAFEU);
  EXPECT_EQ(sink->payload_type(), 120);
  EXPECT_EQ(sink->gaps(), 0);
  EXPECT_EQ(sink->malformed(), 0);
  const auto got = sink->got();
  for (std::size_t i = 1; i < got.size(); ++i) EXPECT_EQ(got[i].time - got[i - 1].time, 3000U);
}

TEST_F(TrackTest, TheSourcesNumbersAndTimesMayWrapAndSoMayTheViewers) {
  const auto track = Track::create(kVp8);
  Source source(1, 0xFFFFFFFFU - 100'000);
  const auto sink = viewer();
  const auto subscription = track->subscribe(sink, {});
  track->on_frame(source.key());
  std::size_t sent = 1;
  for (int i = 0; i < 2000; ++i) {  // 40 packets each: past 65536 twice.
    track->on_frame(source.frame(false, 40, 4));
    if (++sent % 32 == 0) {
      ASSERT_TRUE(sink->wait_for(sent));
    }
  }
  ASSERT_TRUE(sink->wait_for(2001));
  EXPECT_EQ(sink->gaps(), 0);
  const auto got = sink->got();
  for (std::size_t i = 1; i < got.size(); ++i) {
    ASSERT_EQ(static_cast<std::uint32_t>(got[i].time - got[i - 1].time), 3000U) << i;
  }
}

TEST_F(TrackTest, AnSsrcIsDrawnWhenNoneIsGiven) {
  const auto track = Track::create(kVp8);
  const auto one = viewer();
  const auto two = viewer();
  const auto first = track->subscribe(one, {});
  const auto second = track->subscribe(two, {});
  track->on_frame(source_.key());
  ASSERT_TRUE(one->wait_for(1) && two->wait_for(1));
  EXPECT_NE(one->ssrc(), 0U);
  EXPECT_NE(one->ssrc(), two->ssrc());
}

TEST_F(TrackTest, ARestartedSourceGoesOnInOneLine) {
  const auto track = Track::create(kVp8);
  const auto sink = viewer();
  const auto subscription = track->subscribe(sink, {});
  track->on_frame(source_.key());
  track->on_frame(source_.inter());
  Source again(2, 0x80000000);
  again.set_pts(source_.pts() + 10s);
  auto first = std::make_shared<Frame>(*again.key());
  first->after_gap = true;
  track->on_frame(first);
  track->on_frame(again.inter());
  ASSERT_TRUE(sink->wait_for(4));
  const auto got = sink->got();
  EXPECT_EQ(sink->gaps(), 0);
  EXPECT_EQ(got[2].time - got[1].time, 903'000U) << "ten seconds and a frame, by pts";
  EXPECT_EQ(got[3].time - got[2].time, 3000U);
}

// --- Where a viewer begins -----------------------------------------------------------------------

TEST_F(TrackTest, NothingIsShownBeforeAKeyframeAndOneIsAskedFor) {
  const auto track = asked_track();
  const auto sink = viewer();
  const auto subscription = track->subscribe(sink, {});
  ASSERT_TRUE(wait_for_requests(1)) << "at once, before any frame came";
  track->on_frame(source_.inter());
  track->on_frame(source_.inter());
  track->on_frame(source_.key());
  track->on_frame(source_.inter());
  ASSERT_TRUE(sink->wait_for(2));
  EXPECT_EQ(sink->numbers(), (Numbers{2, 3}));
  ASSERT_TRUE(wait_for_handled(*subscription, 4));
  EXPECT_EQ(subscription->stats().dropped_frames, 2U);
}

TEST_F(TrackTest, WhoJoinsLateGetsTheCachedGroupAtOnceWithTimesSqueezed) {
  const auto track = asked_track();
  track->on_frame(source_.key());
  for (int i = 0; i < 9; ++i) track->on_frame(source_.inter());
  const auto sink = viewer();
  const auto subscription = track->subscribe(sink, {});
  ASSERT_TRUE(sink->wait_for(10)) << "although the source sends nothing more";
  track->on_frame(source_.inter());
  ASSERT_TRUE(sink->wait_for(11));
  const auto got = sink->got();
  for (int i = 0; i < 11; ++i) EXPECT_EQ(got[static_cast<std::size_t>(i)].number, i);
  for (std::size_t i = 1; i < 10; ++i) {
    EXPECT_EQ(got[i].time - got[i - 1].time, 90U) << "one millisecond";
    EXPECT_EQ(got[i].pts - got[i - 1].pts, 1ms) << "told to sender reports alike";
  }
  EXPECT_EQ(got[10].time - got[9].time, 3000U) << "and on at the source's pace";
  EXPECT_EQ(sink->gaps(), 0);
  EXPECT_EQ(requests_, 0);
}

TEST_F(TrackTest, ALargeCachedGroupIsFedInTurnsAndThenGoesLive) {
  const auto track = asked_track();
  const auto push = [&](bool key) { track->on_frame(source_.frame(key, 20, 1000)); };
  push(true);
  for (int i = 0; i < 49; ++i) push(false);  // A megabyte.
  const auto sink = viewer();
  const auto subscription = track->subscribe(sink, {});
  ASSERT_TRUE(sink->wait_for(4));
  std::size_t pushed = 50;
  while (sink->got().size() < pushed && pushed < 120) {
    const auto before = sink->got().size();
    push(false);
    ++pushed;
    ASSERT_TRUE(sink->wait_for(before + 1));
  }
  ASSERT_TRUE(sink->wait_for(pushed));
  EXPECT_LT(pushed, 100U) << "several cached frames for each live one";
  const auto got = sink->got();
  for (std::size_t i = 0; i < got.size(); ++i) ASSERT_EQ(got[i].number, static_cast<int>(i));
  for (std::size_t i = 1; i < got.size(); ++i) {
    ASSERT_GT(static_cast<std::int32_t>(got[i].time - got[i - 1].time), 0) << i;
  }
  EXPECT_EQ(got.back().pts, source_.pts() - std::chrono::nanoseconds(33'333'333));
  EXPECT_EQ(sink->gaps(), 0);
}

TEST_F(TrackTest, AKeyframeWhileCatchingUpShortensTheWay) {
  const auto track = asked_track();
  const auto push = [&](bool key) { track->on_frame(source_.frame(key, 40, 1000)); };
  push(true);
  for (int i = 0; i < 39; ++i) push(false);
  const auto sink = viewer();
  const auto subscription = track->subscribe(sink, {});
  ASSERT_TRUE(sink->wait_for(4));
  push(true);  // Frame 40.
  ASSERT_TRUE(bell_.wait([&] { return sink->got().back().number == 40; }));
  push(false);
  ASSERT_TRUE(bell_.wait([&] { return sink->got().back().number == 41; }));
  const auto numbers = sink->numbers();
  EXPECT_LT(numbers.size(), 30U) << "most of the old group was left out";
  EXPECT_EQ(numbers[numbers.size() - 2], 40);
  EXPECT_EQ(sink->gaps(), 0);
}

TEST_F(TrackTest, ALongCachedGroupIsLeftOutInFavourOfANewKeyframe) {
  const auto track = asked_track({.catch_up_bytes = 1000});
  track->on_frame(source_.frame(true, 1, 900));
  track->on_frame(source_.frame(false, 1, 900));
  const auto sink = viewer();
  const auto subscription = track->subscribe(sink, {});
  ASSERT_TRUE(wait_for_requests(1));
  track->on_frame(source_.inter());
  track->on_frame(source_.key());
  ASSERT_TRUE(sink->wait_for(1));
  EXPECT_EQ(sink->numbers(), (Numbers{3}));
}

TEST_F(TrackTest, ButNotWhenTheSourceCannotBeAsked) {
  const auto track = Track::create(kVp8, {.catch_up_bytes = 1000});
  track->on_frame(source_.frame(true, 1, 900));
  track->on_frame(source_.frame(false, 1, 900));
  const auto sink = viewer();
  const auto subscription = track->subscribe(sink, {});
  ASSERT_TRUE(sink->wait_for(2));
  EXPECT_EQ(sink->numbers(), (Numbers{0, 1}));
}

TEST_F(TrackTest, AStalePictureIsNotShown) {
  const auto track = asked_track();
  auto old = std::make_shared<Frame>(*source_.key());
  old->arrival = monotonic_now() - 10s;
  track->on_frame(old);
  const auto sink = viewer();
  const auto subscription = track->subscribe(sink, {});
  ASSERT_TRUE(wait_for_requests(1));
  EXPECT_TRUE(sink->got().empty());
}

TEST_F(TrackTest, AGroupBeyondTheRingsLimitsIsNotKept) {
  const auto track = asked_track({.ring_frames = 5});
  track->on_frame(source_.key());
  for (int i = 0; i < 6; ++i) track->on_frame(source_.inter());
  const auto sink = viewer();
  const auto subscription = track->subscribe(sink, {});
  EXPECT_TRUE(wait_for_requests(1));
  EXPECT_TRUE(sink->got().empty());
}

TEST_F(TrackTest, SoundBeginsWithTheNextPacketAndNeverAsks) {
  const auto track = Track::create(kOpus);
  track->set_keyframe_requester([this] { ++requests_; });
  Source source(1, 0, 960);
  track->on_frame(source.frame(true, 1));
  const auto sink = viewer();
  const auto subscription = track->subscribe(sink, {});
  subscription->request_keyframe();
  for (int i = 0; i < 3; ++i) track->on_frame(source.frame(true, 1));
  ASSERT_TRUE(sink->wait_for(3));
  EXPECT_EQ(sink->numbers(), (Numbers{1, 2, 3}));
  EXPECT_EQ(requests_, 0);
}

}  // namespace
}  // namespace sotto::rtc
