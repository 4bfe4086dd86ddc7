// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "pipelines/camera/demo_clip.h"
#include "pipelines/camera/frame_copy.h"
#include "pipelines/camera/session.h"

#include <array>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>

namespace sotto::camera {
namespace {

// Plays the clip's frames round and round at their pace: a thread that sleeps, nothing else.
class DemoSession final : public Session {
 public:
  explicit DemoSession(MainContext& loop) : shared_(std::make_shared<Shared>(loop.raw())) {}
  ~DemoSession() override { stop({}); }

  void start(Events events) override {
    shared_->events = std::move(events);
    thread_ = std::thread([shared = shared_] { play(shared); });
  }

  void stop(std::function<void()> stopped) override {
    if (std::exchange(stopped_, true)) return;
    shared_->events = {};
    {
      const std::lock_guard lock(shared_->mutex);
      shared_->stopping = true;
    }
    shared_->wake.notify_all();
    // It may be encoding; nobody waits for that.
    if (thread_.joinable()) thread_.detach();
    if (stopped) shared_->loop.post(std::move(stopped));
  }

 private:
  struct Shared {
    explicit Shared(GMainContext* context) : loop(context) {}
    MainContext loop;
    Events events;     // Belongs to the main context; empty once stopped.
    std::mutex mutex;  // Protects stopping.
    std::condition_variable wake;
    bool stopping = false;
  };
  using SharedPtr = std::shared_ptr<Shared>;

  struct Lane {
    const DemoStream* stream;
    std::shared_ptr<Ingest> ingest;
    std::uint64_t sent = 0;
    std::chrono::nanoseconds due() const {
      return stream->interval * static_cast<std::int64_t>(sent);
    }
  };

  static void play(const SharedPtr& shared) {
    auto clip = demo_clip();
    if (!clip) {
      shared->loop.post([shared, error = clip.error()] {
        if (const auto on_ended = std::exchange(shared->events, {}).on_ended) on_ended(error);
      });
      return;
    }
    const auto news = [weak = std::weak_ptr<Shared>(shared)] {
      const auto still = weak.lock();
      if (!still) return;
      still->loop.post([still] {
        // Copied: what it does may end the session and with it the events.
        if (const auto on_news = still->events.on_news) on_news();
      });
    };
    std::array<Lane, 2> lanes{
        Lane{&(*clip)->video, std::make_shared<Ingest>((*clip)->video.info, news)},
        Lane{&(*clip)->audio, std::make_shared<Ingest>((*clip)->audio.info, news)}};
    shared->loop.post([shared, found = std::vector{lanes[0].ingest, lanes[1].ingest}] {
      if (const auto on_described = shared->events.on_described) on_described(found);
    });
    const auto start = rtc::monotonic_now();
    for (;;) {
      Lane& lane = lanes[0].due() <= lanes[1].due() ? lanes[0] : lanes[1];
      const auto due = start + lane.due();
      {
        std::unique_lock lock(shared->mutex);
        const std::chrono::steady_clock::time_point until(due);
        if (shared->wake.wait_until(lock, until, [&] { return shared->stopping; })) return;
      }
      send(lane, due);
    }
  }

  static void send(Lane& lane, rtc::MonotonicTime due) {
    const auto& frames = lane.stream->frames;
    auto frame = copy_of(frames[lane.sent % frames.size()]);
    const auto ticks = static_cast<std::uint64_t>(lane.stream->interval.count()) * lane.sent *
                       lane.stream->info.codec.clock_rate / 1'000'000'000;
    frame->rtp_time = static_cast<std::uint32_t>(ticks);
    frame->pts = due;
    frame->arrival = rtc::monotonic_now();
    frame->after_gap = lane.sent == 0;
    ++lane.sent;
    lane.ingest->on_frame(std::move(frame));
  }

  const SharedPtr shared_;
  std::thread thread_;
  bool stopped_ = false;
};

}  // namespace

std::shared_ptr<Session> make_demo_session(MainContext& loop) {
  return std::make_shared<DemoSession>(loop);
}

}  // namespace sotto::camera
