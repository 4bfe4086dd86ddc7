// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "pipelines/camera/probe.h"

#include "pipelines/camera/recipes.h"
#include "pipelines/camera/rtp_converter.h"
#include "pipelines/camera/session.h"

#include <atomic>
#include <cmath>
#include <utility>

namespace sotto::camera {
namespace {

using namespace std::chrono_literals;

constexpr std::chrono::milliseconds kTick{50};
// Enough to tell 25 frames a second from 30, and the time for them at 4.
constexpr unsigned kFrames = 12;
constexpr std::chrono::nanoseconds kLooking = 3s;

// Counts frames on the streaming thread.
class Counter final : public rtc::FrameReceiver {
 public:
  void on_frame(rtc::FramePtr frame) override {
    if (count_ == 0) first_ = frame->pts.count();
    last_ = frame->pts.count();
    ++count_;
  }
  unsigned count() const { return count_; }
  double fps() const {
    const double seconds = static_cast<double>(last_ - first_) / 1e9;
    return count_ > 1 && seconds > 0 ? (count_ - 1) / seconds : 0;
  }

 private:
  std::atomic<unsigned> count_{0};
  std::atomic<rtc::MonotonicTime::rep> first_{0};
  std::atomic<rtc::MonotonicTime::rep> last_{0};
};

class Nobody final : public rtc::FrameReceiver {
 public:
  void on_frame(rtc::FramePtr /*frame*/) override {}
};

class Probe {
 public:
  Probe(MainContext& loop, const Address& address, const Patience& patience,
        std::function<void(Result<std::vector<ProbedTrack>>)> done)
      : loop_(loop), done_(std::move(done)), session_(make_session(loop, address, patience)) {
    session_->start({[this](auto ingests) { on_described(std::move(ingests)); }, [] {},
                     [this](const Error& error) { finish(tl::unexpected(error)); }});
  }
  ~Probe() { stop(); }
  Probe(const Probe&) = delete;
  Probe& operator=(const Probe&) = delete;

 private:
  void on_described(std::vector<std::shared_ptr<Ingest>> ingests) {
    ingests_ = std::move(ingests);
    described_ = rtc::monotonic_now();
    for (const auto& ingest : ingests_) {
      const StreamInfo& stream = ingest->stream();
      if (stream.codec.kind != rtc::MediaKind::kVideo) continue;
      video_ = ingest;
      ingest->add(counter_);
      auto recipe = repacketise(stream.codec);
      if (!recipe) recipe = transcode(stream.codec, "VP8");
      if (!recipe) continue;
      auto converter = RtpConverter::create(
          {*recipe, stream.caps, stream.codec, std::make_shared<Nobody>(), {}});
      if (!converter) continue;
      converter_ = *converter;
      ingest->add(converter_);
    }
    tick_ = loop_.every(kTick, [this] { look(); });
  }

  void look() {
    const bool late = rtc::monotonic_now() - described_ > kLooking;
    const bool sized = !converter_ || converter_->picture_size();
    const bool seen = !video_ || (sized && counter_->count() >= kFrames);
    if (!seen && !late) return;
    if (video_ && counter_->count() == 0) {
      finish(fail(ErrorCode::kTimeout, "the camera describes pictures but sends none"));
      return;
    }
    std::vector<ProbedTrack> tracks;
    for (const auto& ingest : ingests_) {
      const auto& codec = ingest->stream().codec;
      ProbedTrack track;
      track.kind = rtc::name_of(codec.kind);
      track.codec = codec.name;
      if (ingest == video_) {
        if (const auto size = converter_ ? converter_->picture_size() : std::nullopt) {
          track.width = size->width;
          track.height = size->height;
        }
        track.fps = std::round(counter_->fps() * 10) / 10;
        if (ingest->findings().reordered) track.note = "B-frames: will be transcoded for browsers";
      }
      tracks.push_back(std::move(track));
    }
    finish(std::move(tracks));
  }

  void finish(Result<std::vector<ProbedTrack>> result) {
    stop();
    // The one who hears may drop us.
    const auto done = std::exchange(done_, nullptr);
    if (done) done(std::move(result));
  }

  void stop() {
    tick_.cancel();
    if (video_) {
      video_->remove(counter_);
      if (converter_) video_->remove(converter_);
    }
    converter_.reset();
    video_.reset();
    ingests_.clear();
    if (auto session = std::exchange(session_, nullptr)) {
      auto* raw = session.get();
      raw->stop([session = std::move(session)] {});
    }
  }

  MainContext& loop_;
  std::function<void(Result<std::vector<ProbedTrack>>)> done_;
  std::shared_ptr<Session> session_;
  std::vector<std::shared_ptr<Ingest>> ingests_;
  std::shared_ptr<Ingest> video_;
  std::shared_ptr<Counter> counter_ = std::make_shared<Counter>();
  std::shared_ptr<RtpConverter> converter_;
  rtc::MonotonicTime described_{};
  MainContext::Timer tick_;
};

}  // namespace

std::shared_ptr<void> probe(MainContext& loop, const Address& address, const Patience& patience,
                            std::function<void(Result<std::vector<ProbedTrack>>)> done) {
  return std::make_shared<Probe>(loop, address, patience, std::move(done));
}

}  // namespace sotto::camera
