// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// Gates, thin lines, switches, and the end of subscriptions and tracks.
#include "tests/core/rtc/fanout/track_fixture.h"

#include <atomic>
#include <thread>

namespace sotto::rtc {
namespace {

using namespace std::chrono_literals;
using testing::Bell;
using testing::kVp8;
using testing::Numbers;
using testing::Source;
using testing::TrackTest;
using testing::Viewer;

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

TEST_F(TrackTest, JoinersGetNothingOfAnEarlierPublisher) {
  const auto track = asked_track();
  const auto first = viewer();
  const auto one = track->subscribe(first, {});
  track->on_frame(source_.key());
  track->on_frame(source_.inter());
  ASSERT_TRUE(first->wait_for(2));
  track->begin_anew();
  const auto second = viewer();
  const auto two = track->subscribe(second, {});
  Source other(9, 0x12345678);
  track->on_frame(other.inter());
  EXPECT_EQ(track->stats().broken_frames, 1U) << "a picture without the keyframe before it";
  track->on_frame(other.key());
  ASSERT_TRUE(first->wait_for(3) && second->wait_for(1));
  track->on_frame(other.inter());
  ASSERT_TRUE(first->wait_for(4) && second->wait_for(2));
  EXPECT_EQ(first->numbers().size(), 4U);
  EXPECT_EQ(second->numbers().size(), 2U) << "nothing of the time before";
}

// --- Switching ------------------------------------------------------------------------------

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

// --- Ending ---------------------------------------------------------------------------------

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

// --- Many -----------------------------------------------------------------------------------

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
