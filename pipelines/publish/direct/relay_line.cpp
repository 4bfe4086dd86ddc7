// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "pipelines/publish/direct/relay_line.h"

#include "core/rtc/viewing.h"
#include "elements/webrtc/http_peer.h"
#include "pipelines/fanout/viewer.h"
#include "pipelines/peer/reaper.h"
#include "pipelines/peer/webrtcbin_peer.h"
#include "pipelines/publish/direct/live_tracks.h"

#include <thread>
#include <utility>

namespace sotto {
namespace {

camera::Patience relay_patience() {
  camera::Patience patience;
  patience.first_retry = std::chrono::milliseconds(500);
  patience.quick_retry = std::chrono::milliseconds(4'000);
  patience.slowest_retry = std::chrono::milliseconds(30'000);
  return patience;
}

/// A thread that runs what may block, in order.
class Worker {
 public:
  Worker() : context_(g_main_context_new()), loop_(g_main_loop_new(context_, FALSE)) {
    main_ = std::make_unique<MainContext>(context_);
    thread_ = std::thread([this] {
      g_main_context_push_thread_default(context_);
      g_main_loop_run(loop_);
      g_main_context_pop_thread_default(context_);
    });
  }
  /// Waits for what was posted.
  ~Worker() {
    main_->post([this] { g_main_loop_quit(loop_); });
    thread_.join();
    main_.reset();
    g_main_loop_unref(loop_);
    g_main_context_unref(context_);
  }
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;
  void post(std::function<void()> task) { main_->post(std::move(task)); }

 private:
  GMainContext* context_;
  GMainLoop* loop_;
  std::unique_ptr<MainContext> main_;
  std::thread thread_;
};

}  // namespace

/// From OPTIONS to DELETE, once.
class RelayLine::Attempt : public rtc::PeerListener,
                           public std::enable_shared_from_this<RelayLine::Attempt> {
 public:
  Attempt(MainContext& main, HttpSettings settings, std::vector<rtc::FeedTrack> tracks,
          std::function<void(const Error&)> failed)
      : main_(main),
        settings_(std::move(settings)),
        tracks_(std::move(tracks)),
        failed_(std::move(failed)),
        client_(std::make_shared<HttpClient>(settings_)) {}
  ~Attempt() override { stop(); }
  Attempt(const Attempt&) = delete;
  Attempt& operator=(const Attempt&) = delete;

  void start() {
    blocking(
        [](HttpClient& client) { return client.ice_servers(); },
        [](Attempt& self, std::vector<rtc::IceServer> servers) { self.offer(std::move(servers)); });
  }

  void stop() {
    failed_ = nullptr;
    if (!client_) return;
    client_->cancel();
    worker_->post([client = std::exchange(client_, nullptr)] { client->remove(); });
    // A slow server must not hold up our owner.
    Reaper::instance().take("relay", [worker = std::move(worker_)]() mutable { worker.reset(); });
    if (peer_) peer_->close();
    viewer_.reset();
  }

  bool up() const { return up_; }
  std::uint64_t bytes() const {
    if (!viewer_) return bytes_;
    std::uint64_t sum = 0;
    for (const auto& line : viewer_->line_stats()) sum += line.media.bytes;
    return sum;
  }

  void on_connected() override {
    up_ = true;
    viewer_->start();
  }
  void on_keyframe_wanted(const std::string& mid) override {
    if (viewer_) viewer_->request_keyframe(mid);
  }
  void on_closed(rtc::CloseReason reason, const std::string& text) override {
    bytes_ = bytes();
    up_ = false;
    viewer_.reset();
    fail_with({ErrorCode::kUnavailable, std::string(name_of(reason)) + ": " + text});
  }

 private:
  void fail_with(const Error& error) {
    if (const auto failed = std::exchange(failed_, nullptr)) failed(error);
  }

  /// `work` on the worker, `next` with its result here, unless we stopped meanwhile.
  template <class Work, class Next>
  void blocking(Work work, Next next) {
    // The loop of our owner may be gone when a slow server answers.
    worker_->post([client = client_, weak = weak_from_this(), work = std::move(work),
                   next = std::move(next), main = std::make_shared<MainContext>(main_.raw())] {
      auto result = std::make_shared<decltype(work(*client))>(work(*client));
      main->post([weak, next, result] {
        const auto self = weak.lock();
        if (self && self->failed_) next(*self, std::move(*result));
      });
    });
  }

  void offer(std::vector<rtc::IceServer> servers) {
    rtc::PeerOptions options;
    options.label = "relay";
    options.ice_servers = std::move(servers);
    options.loopback_candidates = is_loopback_url(settings_.location);
    peer_ = make_webrtcbin_peer(main_, *this, std::move(options));
    auto plan = rtc::plan_for_feed(tracks_, "sotto");
    viewer_ =
        std::make_unique<Viewer>(main_, peer_, make_live_feed(tracks_), std::move(plan.lines));
    peer_->offer(
        std::move(plan.media), false, [weak = weak_from_this()](Result<std::string> offer) {
          const auto self = weak.lock();
          if (!self) return;
          if (!offer) return self->fail_with(offer.error());
          self->blocking(
              [sdp = *offer](HttpClient& client) { return client.post(sdp); },
              [](Attempt& still, Result<std::string> answer) { still.accept(std::move(answer)); });
        });
  }

  void accept(Result<std::string> answer) {
    if (!answer) return fail_with(answer.error());
    peer_->accept_answer(*answer, [weak = weak_from_this()](Result<> done) {
      const auto self = weak.lock();
      if (self && !done) self->fail_with(done.error());
    });
  }

  MainContext& main_;
  const HttpSettings settings_;
  const std::vector<rtc::FeedTrack> tracks_;
  std::function<void(const Error&)> failed_;
  std::shared_ptr<HttpClient> client_;
  std::shared_ptr<rtc::Peer> peer_;
  std::unique_ptr<Viewer> viewer_;
  std::uint64_t bytes_ = 0;
  bool up_ = false;
  std::shared_ptr<Worker> worker_ = std::make_shared<Worker>();
};

RelayLine::RelayLine(MainContext& main, Settings settings, Tracks tracks,
                     std::function<void(const std::string&)> note)
    : main_(main),
      settings_(std::move(settings)),
      tracks_(std::move(tracks)),
      note_(std::move(note)),
      backoff_(relay_patience()) {}

RelayLine::~RelayLine() {
  if (attempt_) attempt_->stop();
}

bool RelayLine::up() const { return attempt_ && attempt_->up(); }

std::uint64_t RelayLine::bytes() const { return past_bytes_ + (attempt_ ? attempt_->bytes() : 0); }

void RelayLine::want(bool wanted) {
  if (std::exchange(wanted_, wanted) == wanted) return;
  retry_.cancel();
  if (wanted) {
    backoff_.reset();
    attempt();
  } else {
    end_attempt();
  }
}

void RelayLine::restart() {
  if (!wanted_) return;
  retry_.cancel();
  end_attempt();
  attempt();
}

void RelayLine::attempt() {
  auto settings = settings_();
  auto tracks = tracks_();
  if (!settings) return failed(settings.error());
  if (tracks.empty()) return failed({ErrorCode::kUnavailable, "there is nothing to send yet"});
  attempt_ = std::make_shared<Attempt>(main_, std::move(*settings), std::move(tracks),
                                       [this](const Error& error) { failed(error); });
  attempt_->start();
}

void RelayLine::failed(const Error& error) {
  if (up()) backoff_.reset();
  end_attempt();
  note_("the stream to the server: " + error.message);
  retry_ = main_.after(backoff_.next(), [this] { attempt(); });
}

void RelayLine::end_attempt() {
  if (!attempt_) return;
  past_bytes_ += attempt_->bytes();
  attempt_->stop();
  // It may be telling us so right now.
  main_.post([attempt = std::move(attempt_)] {});
}

}  // namespace sotto
