// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// Peers come and go; threads and descriptors end where they began.
#include "tests/pipelines/peer/fixture.h"

#include <algorithm>
#include <filesystem>
#include <iterator>

namespace sotto {
namespace {

using rtc::Direction;

std::size_t entries(const char* folder) {
  std::error_code error;
  return static_cast<std::size_t>(
      std::distance(std::filesystem::directory_iterator(folder, error), {}));
}

class PeerChurnTest : public PeerTest {
 protected:
  void pair_comes_and_goes(int how) {
    Ear& sender_ear = ear();
    Ear& receiver_ear = ear();
    const auto sender = make(sender_ear);
    const auto receiver = make(receiver_ear);
    const auto video = std::make_shared<Counter>();
    receiver->set_receiver("v", video);
    connect(*sender,
            {plan("v", vp8(), Direction::kSendOnly), plan("a", opus(), Direction::kSendOnly)},
            sender_ear, *receiver,
            {plan("v", vp8(), Direction::kRecvOnly), plan("a", opus(), Direction::kRecvOnly)},
            receiver_ear, how % 4 == 0);
    Packets packets(sender->subscribe_options("v"), true);
    ASSERT_TRUE(feed(*sender->sink("v"), packets, [&] { return video->frames >= 2; }));
    // Whoever leaves first.
    (how % 2 == 0 ? sender : receiver)->close();
    (how % 2 == 0 ? receiver : sender)->close();
    peers_.clear();
  }
};

TEST_F(PeerChurnTest, ThreadsAndDescriptorsEndWhereTheyBegan) {
  for (int i = 0; i < 4; ++i) {
    ASSERT_NO_FATAL_FAILURE(pair_comes_and_goes(i));
  }
  ASSERT_TRUE(wait_for_teardown(kPatience));
  // GLib and the DTLS timers keep a few idle threads for a while; the fewest ever seen count.
  std::size_t threads = entries("/proc/self/task");
  const std::size_t descriptors = entries("/proc/self/fd");
  for (int i = 0; i < 20; ++i) {
    ASSERT_NO_FATAL_FAILURE(pair_comes_and_goes(i));
    ASSERT_TRUE(wait_for_teardown(kPatience));
  }
  EXPECT_TRUE(until([&] { return entries("/proc/self/task") <= threads; }))
      << threads << " became " << entries("/proc/self/task");
  EXPECT_TRUE(until([&] { return entries("/proc/self/fd") <= descriptors; }))
      << descriptors << " became " << entries("/proc/self/fd");
}

TEST_F(PeerChurnTest, ClosedAtEveryStage) {
  // Before, within and after the handshake: nothing may hang or stay behind.
  for (int stage = 0; stage < 12; ++stage) {
    Ear& a_ear = ear();
    Ear& b_ear = ear();
    const auto a = make(a_ear);
    const auto b = make(b_ear);
    int steps = 0;
    const auto step = [&] { return ++steps > stage * 3; };
    std::string sdp;
    a->offer({plan("v", vp8(), Direction::kSendOnly)}, stage % 2 == 0,
             [&](Result<std::string> offered) {
               if (!offered) return;
               b->answer(*offered, {plan("v", vp8(), Direction::kRecvOnly)},
                         [&](Result<std::string> answered) {
                           if (answered) a->accept_answer(*answered, [](Result<>) {});
                         });
             });
    until(step);
    a->close();
    b->close();
    EXPECT_TRUE(a_ear.closed && b_ear.closed);
    peers_.clear();
  }
  EXPECT_TRUE(wait_for_teardown(kPatience));
}

}  // namespace
}  // namespace sotto
