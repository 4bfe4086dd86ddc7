// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// What a viewer of a track is promised.
#include "core/rtc/fanout/track.h"

#include "tests/core/rtc/fanout/stage.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

namespace sotto::rtc {
namespace {

using namespace std::chrono_literals;
using testing::Bell;
using testing::Got;
using testing::Source;
using testing::Viewer;

const Codec kVp8{MediaKind::kVideo, "VP8", 96, 90000, 1, {}};
const Codec kOpus{MediaKind::kAudio, "opus", 111, 48000, 2, {}};
using Numbers = std::vector<int>;

class TrackTest : public ::testing::Test {
 protected:
  std::shared_ptr<Viewer> viewer() { return std::make_shared<Viewer>(bell_); }
  /// A track whose requests are counted.
  std::shared_ptr<Track> asked_track(TrackLimits limits = {}) {
    auto track = Track::create(kVp8, limits);
    track->set_keyframe_requester([this] {
      ++requests_;
      bell_.ring();
    });
    return track;
  }
  bool wait_for_requests(int count) {
    return bell_.wait([&] { return requests_ >= count; });
  }
  /// For what rings no bell.
  static bool eventually(const std::function<bool()>& condition) {
    const auto deadline = std::chrono::steady_clock::now() + testing::kPatience;
    while (!condition()) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      std::this_thread::yield();
    }
    return true;
  }
  /// The subscription's worker has sent or withheld this many frames.
  bool wait_for_handled(const Subscription& subscription, std::uint64_t frames) {
    return eventually([&] {
      const auto stats = subscription.stats();
      return stats.frames + stats.dropped_frames >= frames;
    });
  }

  Bell bell_;
  Source source_;
  std::atomic<int> requests_{0};
};

// --- Numbers and times ------------------------------------------------------------------------

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

// --- Keyframe requests ---------------------------------------------------------------------------

TEST_F(TrackTest, WishesOfAllViewersBecomeOneRequestPerInterval) {
  const auto track = asked_track({.keyframe_interval = 1h});
  track->on_frame(source_.key());
  std::vector<std::unique_ptr<Subscription>> subscriptions;
  for (int i = 0; i < 50; ++i) subscriptions.push_back(track->subscribe(viewer(), {}));
  for (const auto& subscription : subscriptions) subscription->request_keyframe();
  EXPECT_EQ(requests_, 1);
  EXPECT_EQ(track->stats().keyframe_requests, 1U);
}

TEST_F(TrackTest, AWishWithinTheIntervalIsRememberedUntilItsEnd) {
  const auto track = asked_track({.keyframe_interval = 50ms});
  track->on_frame(source_.key());
  const auto sink = viewer();
  const auto subscription = track->subscribe(sink, {});
  subscription->request_keyframe();
  subscription->request_keyframe();
  // The second is due later: frames that come in are what makes the worker look.
  EXPECT_TRUE(eventually([&] {
    track->on_frame(source_.inter());
    return requests_ >= 2;
  }));
}

TEST_F(TrackTest, APendingWishKeepsNobodyFromJoining) {
  const auto track = asked_track({.keyframe_interval = 1h});
  const auto first = viewer();
  const auto one = track->subscribe(first, {});
  one->request_keyframe();
  one->request_keyframe();
  const auto second = viewer();
  const auto two = track->subscribe(second, {});
  track->on_frame(source_.key());
  EXPECT_TRUE(first->wait_for(1) && second->wait_for(1));
}

TEST_F(TrackTest, AKeyframeThatCameInBetweenGrantsTheWish) {
  const auto track = asked_track({.keyframe_interval = 30ms});
  track->on_frame(source_.key());
  const auto sink = viewer();
  const auto subscription = track->subscribe(sink, {});
  ASSERT_TRUE(sink->wait_for(1));
  subscription->request_keyframe();
  subscription->request_keyframe();
  track->on_frame(source_.key());
  const auto until = std::chrono::steady_clock::now() + 60ms;
  std::size_t frames = 2;
  while (std::chrono::steady_clock::now() < until) {
    track->on_frame(source_.inter());
    ASSERT_TRUE(sink->wait_for(++frames));
  }
  EXPECT_EQ(requests_, 1);
}

TEST_F(TrackTest, ARequesterMayCallTheTrackAndBeTakenAway) {
  const auto track = Track::create(kVp8);
  track->set_keyframe_requester([&] {
    ++requests_;
    track->stats();
    track->on_frame(source_.key());
    track->set_keyframe_requester({});
  });
  const auto sink = viewer();
  const auto subscription = track->subscribe(sink, {});
  ASSERT_TRUE(sink->wait_for(1));
  subscription->request_keyframe();
  EXPECT_EQ(requests_, 1);
}

// --- Losses and refusals
// ---------------------------------------------------------------------------

TEST_F(TrackTest, AfterALossAtTheSourceNothingPassesUpToItsNextKeyframe) {
  const auto track = asked_track();
  const auto sink = viewer();
  const auto subscription = track->subscribe(sink, {});
  ASSERT_TRUE(wait_for_requests(1));
  track->on_frame(source_.key());
  track->on_frame(source_.inter());
  track->on_frame(source_.inter_after_gap());
  track->on_frame(source_.inter());
  track->on_frame(source_.key());
  ASSERT_TRUE(sink->wait_for(3));
  EXPECT_EQ(sink->numbers(), (Numbers{0, 1, 4}));
  EXPECT_EQ(sink->gaps(), 0);
  EXPECT_EQ(track->stats().broken_frames, 2U);
}

TEST_F(TrackTest, ALossAtTheSourceAsksForAKeyframe) {
  const auto track = asked_track({.keyframe_interval = 1ms});
  track->on_frame(source_.key());
  const auto sink = viewer();
  const auto subscription = track->subscribe(sink, {});
  ASSERT_TRUE(sink->wait_for(1));
  ASSERT_EQ(requests_, 0);
  track->on_frame(source_.inter_after_gap());
  EXPECT_TRUE(wait_for_requests(1));
}

TEST_F(TrackTest, ASinkThatSaysNoIsFedAgainFromTheNextKeyframe) {
  const auto track = asked_track();
  track->on_frame(source_.key());
  const auto slow = viewer();
  const auto good = viewer();
  const auto one = track->subscribe(slow, {});
  const auto two = track->subscribe(good, {});
  ASSERT_TRUE(slow->wait_for(1) && good->wait_for(1));
  slow->refuse(1);
  track->on_frame(source_.inter());
  track->on_frame(source_.inter());
  ASSERT_TRUE(slow->wait_for_refusals(1));
  track->on_frame(source_.key());
  track->on_frame(source_.inter());
  ASSERT_TRUE(slow->wait_for(3) && good->wait_for(5));
  EXPECT_EQ(slow->numbers(), (Numbers{0, 3, 4}));
  EXPECT_EQ(good->numbers(), (Numbers{0, 1, 2, 3, 4}));
  EXPECT_EQ(slow->gaps(), 0) << "the refused frame's numbers were used again";
  EXPECT_EQ(one->stats().dropped_frames, 2U);
  EXPECT_EQ(requests_, 0) << "others do not pay for one thin line";
}

TEST_F(TrackTest, ASinkThatHangsDelaysNeitherTheSourceNorOtherWorkers) {
  const auto track = Track::create(kVp8);
  std::mutex mutex;
  std::condition_variable released;
  bool hang = true;
  bool hanging = false;
  const auto stuck = viewer();
  stuck->during_send([&] {
    std::unique_lock lock(mutex);
    hanging = true;
    bell_.ring();
    released.wait(lock, [&] { return !hang; });
  });
  const auto good = viewer();
  const auto one = track->subscribe(stuck, {.affinity = 2});
  const auto two = track->subscribe(good, {.affinity = 1});
  std::size_t pushed = 0;
  const auto push = [&](bool key) {
    track->on_frame(source_.frame(key));
    ++pushed;
    ASSERT_TRUE(good->wait_for(pushed));
  };
  push(true);
  ASSERT_TRUE(bell_.wait([&] {
    const std::lock_guard lock(mutex);
    return hanging;
  }));
  for (int i = 0; i < 200; ++i) push(false);
  {
    const std::lock_guard lock(mutex);
    hang = false;
    released.notify_all();
  }
  // It lost its place and starts again at a keyframe, its numbers unbroken.
  ASSERT_TRUE(eventually([&] { return track->stats().overrun_frames > 0; }));
  push(true);
  const int last = (source_.count() - 1) % 256;
  ASSERT_TRUE(bell_.wait([&] { return stuck->got().back().number == last; }));
  EXPECT_EQ(stuck->gaps(), 0);
  EXPECT_TRUE(stuck->got().back().keyframe);
  EXPECT_LT(stuck->got().size(), 100U);
}

TEST_F(TrackTest, MalformedFramesReachNobody) {
  const auto track = Track::create(kVp8);
  const auto sink = viewer();
  const auto subscription = track->subscribe(sink, {});
  const Bytes bad(20, 0x00);
  auto frame = std::make_shared<Frame>();
  frame->keyframe = true;
  track->on_frame(frame);
  frame = std::make_shared<Frame>();
  frame->keyframe = true;
  frame->packets = {bad};
  track->on_frame(frame);
  track->on_frame(source_.key());
  ASSERT_TRUE(sink->wait_for(1));
  EXPECT_EQ(sink->numbers(), (Numbers{0}));
  EXPECT_EQ(track->stats().malformed_frames, 2U);
  EXPECT_EQ(track->stats().frames, 1U);
}

// --- Gate and ration
// -------------------------------------------------------------------------------

TEST_F(TrackTest, AClosedGateLetsNothingThroughAndOpensAtAKeyframe) {
  const auto track = asked_track();
  const auto sink = viewer();
  const auto subscription = track->subscribe(sink, {});
  track->on_frame(source_.key());
  ASSERT_TRUE(sink->wait_for(1));
  subscription->set_open(false);
  track->on_frame(source_.inter());
  track->on_frame(source_.key());
  track->on_frame(source_.inter());
  ASSERT_TRUE(wait_for_handled(*subscription, 4));
  EXPECT_EQ(sink->numbers(), (Numbers{0}));
  subscription->set_open(true);
  ASSERT_TRUE(sink->wait_for(3)) << "the cached group: keyframe 2 and what follows";
  track->on_frame(source_.inter());
  ASSERT_TRUE(sink->wait_for(4));
  EXPECT_EQ(sink->numbers(), (Numbers{0, 2, 3, 4}));
  EXPECT_EQ(sink->gaps(), 0);
  EXPECT_EQ(subscription->stats().dropped_frames, 3U);
}

TEST_F(TrackTest, AThinLineGetsKeyframesOnlyAndEverythingAgainLater) {
  const auto track = asked_track();
  const auto sink = viewer();
  const auto subscription = track->subscribe(sink, {});
  track->on_frame(source_.key());
  ASSERT_TRUE(sink->wait_for(1));
  subscription->set_ration(Ration::kKeyframesOnly);
  track->on_frame(source_.inter());
  track->on_frame(source_.key());
  track->on_frame(source_.inter());
  ASSERT_TRUE(wait_for_handled(*subscription, 4));
  EXPECT_EQ(sink->numbers(), (Numbers{0, 2}));
  subscription->set_ration(Ration::kEverything);
  track->on_frame(source_.inter());
  track->on_frame(source_.key());
  track->on_frame(source_.inter());
  ASSERT_TRUE(sink->wait_for(4));
  EXPECT_EQ(sink->numbers(), (Numbers{0, 2, 5, 6}));
  EXPECT_EQ(sink->gaps(), 0);
}

// --- Switching
// --------------------------------------------------------------------------------------

TEST_F(TrackTest, ASwitchHappensAtTheOtherTracksKeyframeWithoutABreak) {
  const auto main = Track::create(kVp8);
  const auto sub = asked_track();
  Source small(9, 0x12345678);
  const auto sink = viewer();
  const auto subscription = main->subscribe(sink, {.payload_type = 97, .ssrc = 5});
  main->on_frame(source_.key());
  ASSERT_TRUE(sink->wait_for(1));
  subscription->switch_to(sub);
  ASSERT_TRUE(wait_for_requests(1)) << "of the other track";
  EXPECT_EQ(sub->stats().viewers, 1U);
  sub->on_frame(small.inter());
  main->on_frame(source_.inter());
  ASSERT_TRUE(sink->wait_for(2)) << "the present track goes on";
  small.set_pts(source_.pts());
  sub->on_frame(small.key());
  ASSERT_TRUE(sink->wait_for(3));
  ASSERT_TRUE(eventually([&] { return main->stats().viewers == 0; }));
  main->on_frame(source_.inter());
  sub->on_frame(small.inter());
  ASSERT_TRUE(sink->wait_for(4));
  const auto got = sink->got();
  EXPECT_EQ(sink->gaps(), 0);
  EXPECT_EQ(sink->ssrc(), 5U);
  EXPECT_EQ(got[2].time - got[1].time, 3000U) << "by pts: the other clock is unrelated";
  EXPECT_EQ(got[3].time - got[2].time, 3000U);
}

TEST_F(TrackTest, ASwitchThatHasNotHappenedCanBeTakenBackOrRedirected) {
  const auto main = Track::create(kVp8);
  const auto other = Track::create(kVp8);
  const auto third = Track::create(kVp8);
  const auto sink = viewer();
  const auto subscription = main->subscribe(sink, {});
  main->on_frame(source_.key());
  ASSERT_TRUE(sink->wait_for(1));
  subscription->switch_to(other);
  subscription->switch_to(main);
  EXPECT_EQ(other->stats().viewers, 0U);
  subscription->switch_to(other);
  subscription->switch_to(third);
  EXPECT_EQ(other->stats().viewers, 0U);
  EXPECT_EQ(third->stats().viewers, 1U);
  third->on_frame(Source(3).key());
  ASSERT_TRUE(sink->wait_for(2));
  EXPECT_TRUE(eventually([&] { return main->stats().viewers == 0; }));
  EXPECT_EQ(sink->gaps(), 0);
}

// --- Ending
// ------------------------------------------------------------------------------------------

TEST_F(TrackTest, TheSinkIsReleasedAndNotCalledOnceTheSubscriptionIsGone) {
  const auto track = Track::create(kVp8);
  auto sink = viewer();
  std::atomic<bool> gone{false};
  std::atomic<int> late{0};
  sink->during_send([&] {
    if (gone) ++late;
  });
  const std::weak_ptr<Viewer> watch = sink;
  auto subscription = track->subscribe(std::move(sink), {});
  std::atomic<bool> stop{false};
  std::thread feeder([&] {
    for (int i = 0; !stop; ++i) track->on_frame(source_.frame(i % 8 == 0));
  });
  ASSERT_TRUE(watch.lock()->wait_for(20));
  subscription.reset();
  gone = true;
  EXPECT_TRUE(watch.expired());
  EXPECT_EQ(track->stats().viewers, 0U);
  const auto frames = track->stats().frames;
  while (track->stats().frames < frames + 100) std::this_thread::yield();
  stop = true;
  feeder.join();
  EXPECT_EQ(late, 0);
}

TEST_F(TrackTest, TheTrackLivesAsLongAsItsViewersAndNoLonger) {
  auto track = Track::create(kVp8);
  const std::weak_ptr<Track> watch = track;
  auto subscription = track->subscribe(viewer(), {});
  track->on_frame(source_.key());
  track.reset();
  EXPECT_FALSE(watch.expired());
  subscription->request_keyframe();
  subscription.reset();
  EXPECT_TRUE(eventually([&] { return watch.expired(); }))
      << "at the latest when its worker is through";
}

TEST_F(TrackTest, StatisticsAddUp) {
  const auto track = Track::create(kVp8);
  const auto sink = viewer();
  const auto subscription = track->subscribe(sink, {});
  track->on_frame(source_.frame(true, 3, 100));
  track->on_frame(source_.frame(false, 2, 100));
  ASSERT_TRUE(sink->wait_for(2));
  ASSERT_TRUE(wait_for_handled(*subscription, 2));
  const auto viewer_stats = subscription->stats();
  EXPECT_EQ(viewer_stats.frames, 2U);
  EXPECT_EQ(viewer_stats.packets, 5U);
  EXPECT_EQ(viewer_stats.bytes, 5U * 112);
  EXPECT_GE(viewer_stats.delay_p99, viewer_stats.delay_p50);
  const auto stats = track->stats();
  EXPECT_EQ(stats.frames, 2U);
  EXPECT_EQ(stats.packets, 5U);
  EXPECT_EQ(stats.bytes, 5U * 112);
  EXPECT_EQ(stats.viewers, 1U);
  EXPECT_GT(stats.last_frame, 0ns);
}

// --- Many
// ----------------------------------------------------------------------------------------------

TEST_F(TrackTest, TwoHundredViewersComeAndGoWhileTheSourceRuns) {
  const auto track = asked_track();
  const auto other = asked_track();
  std::atomic<bool> stop{false};
  // Each source runs as fast as one steady viewer on every worker takes its frames.
  const auto feed = [&](Track& to, std::uint32_t ssrc) {
    Source source(ssrc);
    Bell bell;
    std::vector<std::shared_ptr<Viewer>> steady;
    std::vector<std::unique_ptr<Subscription>> holds;
    for (std::uint32_t worker = 1; worker <= 3; ++worker) {
      steady.push_back(std::make_shared<Viewer>(bell));
      holds.push_back(to.subscribe(steady.back(), {.affinity = worker}));
    }
    for (std::size_t i = 0; !stop; ++i) {
      to.on_frame(source.frame(i % 10 == 0));
      for (const auto& viewer : steady) {
        if (viewer->wait_for(i + 1)) continue;
        ADD_FAILURE() << "a steady viewer lost frame " << i;
        stop = true;
      }
    }
  };
  std::thread one([&] { feed(*track, 1); });
  std::thread two([&] { feed(*other, 2); });

  struct Seat {
    std::unique_ptr<Bell> bell = std::make_unique<Bell>();
    std::shared_ptr<Viewer> sink = std::make_shared<Viewer>(*bell);
    std::unique_ptr<Subscription> subscription;
  };
  std::vector<std::thread> crowds;
  for (unsigned crowd = 0; crowd < 4; ++crowd) {
    crowds.emplace_back([&, crowd] {
      for (int round = 0; round < 3; ++round) {
        std::vector<Seat> seats;
        for (unsigned i = 0; i < 50; ++i) {
          Seat seat;
          auto& from = (i + crowd) % 2 == 0 ? track : other;
          seat.subscription = from->subscribe(seat.sink, {.affinity = i % 3});
          if (i % 5 == 0) seat.subscription->switch_to(from == track ? other : track);
          if (i % 7 == 0) seat.subscription->set_ration(Ration::kKeyframesOnly);
          if (i % 11 == 0) seat.sink->refuse(3);
          if (i % 13 == 0) {
            seat.subscription->set_open(false);
            seat.subscription->set_open(true);
          }
          seats.push_back(std::move(seat));
        }
        for (const Seat& seat : seats)
          EXPECT_TRUE(seat.sink->wait_for(2)) << (&seat - seats.data());
        for (Seat& seat : seats) {
          seat.subscription.reset();
          EXPECT_EQ(seat.sink->gaps(), 0);
          EXPECT_EQ(seat.sink->malformed(), 0);
          EXPECT_TRUE(seat.sink->got().front().keyframe);
          EXPECT_EQ(seat.sink.use_count(), 1);
        }
      }
    });
  }
  for (auto& crowd : crowds) crowd.join();
  stop = true;
  one.join();
  two.join();
  EXPECT_EQ(track->stats().viewers, 0U);
  EXPECT_EQ(other->stats().viewers, 0U);
}

}  // namespace
}  // namespace sotto::rtc

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  sotto::rtc::set_fanout_workers(3);  // Tests name workers by affinity, whatever the machine has.
  return RUN_ALL_TESTS();
}
