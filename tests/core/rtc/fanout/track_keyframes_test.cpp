// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// Keyframes asked for, and what does not pass before the next one.
#include "tests/core/rtc/fanout/track_fixture.h"

#include <atomic>
#include <thread>

namespace sotto::rtc {
namespace {

using namespace std::chrono_literals;
using testing::kVp8;
using testing::Numbers;
using testing::TrackTest;

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

// --- Losses and refusals --------------------------------------------------------------------

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

}  // namespace
}  // namespace sotto::rtc
