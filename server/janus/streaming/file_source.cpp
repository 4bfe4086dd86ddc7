// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "server/janus/streaming/file_source.h"

#include <algorithm>

namespace sotto::server::janus {
namespace {

/// Viewers who may wait for the first look into a file.
constexpr std::size_t kMaxWaiting = 100;
/// A file shorter than this is not looped without a pause: a broken one would spin.
constexpr std::chrono::milliseconds kShortestLoop{500};

}  // namespace

/// Shared by the feeds that watch it; the last one ends it.
class FileSource::Play : public std::enable_shared_from_this<Play> {
 public:
  Play(std::shared_ptr<FileSource> source, bool loops) : source_(std::move(source)), loops_(loops) {
    for (const auto& codec : source_->codecs_) {
      tracks_.push_back({std::string(name_of(codec.kind)), {}, rtc::Track::create(codec), nullptr});
    }
  }

  void start() {
    started_ = rtc::monotonic_now();
    const std::weak_ptr<Play> weak = shared_from_this();
    reader_ = FileReader::play(
        source_->loop_, source_->path_,
        [tracks = tracks_](const rtc::Codec& codec) -> std::shared_ptr<rtc::FrameReceiver> {
          for (const auto& track : tracks) {
            if (track.track->codec().kind == codec.kind && track.track->codec().name == codec.name)
              return track.track;
          }
          return nullptr;  // The file was exchanged for another meanwhile.
        },
        [weak](Result<> ended) {
          if (const auto self = weak.lock()) self->ended(std::move(ended));
        });
  }
  const std::vector<rtc::FeedTrack>& tracks() const { return tracks_; }

 private:
  void ended(Result<> result) {
    if (!result) {
      source_->play_ended(this, result.error());
    } else if (!loops_) {
      source_->play_ended(this, {ErrorCode::kNotFound, "The file is at its end"});
    } else {
      const auto lasted = rtc::monotonic_now() - started_;
      const auto pause = lasted < kShortestLoop ? kShortestLoop : std::chrono::milliseconds(0);
      again_ = source_->loop_.after(pause, [this] { start(); });
    }
  }

  std::shared_ptr<FileSource> source_;
  const bool loops_;
  std::vector<rtc::FeedTrack> tracks_;
  std::unique_ptr<FileReader> reader_;
  MainContext::Timer again_;
  rtc::MonotonicTime started_{};
};

class FileSource::FileFeed final : public rtc::Feed {
 public:
  FileFeed(std::shared_ptr<FileSource> source, std::shared_ptr<Play> play,
           std::vector<rtc::FeedTrack> tracks)
      : source_(std::move(source)), play_(std::move(play)), tracks_(std::move(tracks)) {
    source_->feeds_.push_back(this);
  }
  ~FileFeed() override { source_->feed_gone(this); }
  const std::vector<rtc::FeedTrack>& tracks() const override { return tracks_; }
  void on_end(std::function<void(Error)> ended) override { ended_ = std::move(ended); }

  const Play* play() const { return play_.get(); }
  void end(const Error& error) {
    const auto ended = std::move(ended_);
    if (ended) ended(error);
  }

 private:
  std::shared_ptr<FileSource> source_;
  std::shared_ptr<Play> play_;
  std::vector<rtc::FeedTrack> tracks_;
  std::function<void(Error)> ended_;
};

FileSource::FileSource(MainContext& loop, SourceName name, Kind kind, std::string path)
    : loop_(loop), name_(std::move(name)), kind_(kind), path_(std::move(path)) {}

std::shared_ptr<FileSource> FileSource::create(MainContext& loop, SourceName name, Kind kind,
                                               std::string path) {
  std::shared_ptr<FileSource> source(new FileSource(loop, std::move(name), kind, std::move(path)));
  source->look();
  return source;
}

void FileSource::look() {
  state_ = rtc::SourceState::kStarting;
  probe_ = FileReader::probe(loop_, path_,
                             [weak = weak_from_this()](Result<std::vector<rtc::Codec>> codecs) {
                               if (const auto self = weak.lock()) self->found(std::move(codecs));
                             });
}

void FileSource::found(Result<std::vector<rtc::Codec>> codecs) {
  probe_.reset();
  if (codecs) {
    codecs_ = std::move(*codecs);
    state_ = rtc::SourceState::kIdle;
  } else {
    failure_ = codecs.error();
    state_ = rtc::SourceState::kFailed;
  }
  const auto waiting = std::move(waiting_);
  waiting_.clear();
  for (const auto& go_on : waiting) go_on();
}

rtc::SourceInfo FileSource::info() const {
  rtc::SourceInfo info;
  info.id = name_.id;
  info.number = name_.number;
  info.type = kind_ == Kind::kLive ? "live" : "on demand";
  info.title = name_.title;
  info.is_private = name_.is_private;
  info.viewers = feeds_.size();
  info.state =
      state_ == rtc::SourceState::kIdle && !feeds_.empty() ? rtc::SourceState::kLive : state_;
  if (state_ == rtc::SourceState::kFailed) info.reason = failure_.message;
  for (const auto& codec : codecs_) info.tracks.emplace_back(name_of(codec.kind), codec);
  return info;
}

void FileSource::open(const rtc::Wish& wish,
                      std::function<void(Result<std::unique_ptr<rtc::Feed>>)> done) {
  if (state_ == rtc::SourceState::kFailed) look();  // The file may have been put right.
  if (state_ == rtc::SourceState::kStarting) {
    if (waiting_.size() == kMaxWaiting) {
      done(fail(ErrorCode::kUnavailable, "Too many wait for this file"));
      return;
    }
    waiting_.push_back([self = shared_from_this(), wish, done] { self->give(wish, done); });
    return;
  }
  give(wish, done);
}

void FileSource::give(const rtc::Wish& wish,
                      const std::function<void(Result<std::unique_ptr<rtc::Feed>>)>& done) {
  if (state_ == rtc::SourceState::kFailed) {
    done(tl::unexpected<Error>(failure_));
    return;
  }
  auto play = live_.lock();
  const bool fresh = play == nullptr || kind_ == Kind::kOnDemand;
  if (fresh) play = std::make_shared<Play>(shared_from_this(), kind_ == Kind::kLive);
  auto chosen = select_tracks(play->tracks(), wish);
  if (!chosen) {
    done(tl::unexpected<Error>(chosen.error()));
    return;
  }
  if (kind_ == Kind::kLive) live_ = play;
  auto feed = std::make_unique<FileFeed>(shared_from_this(), play, std::move(*chosen));
  if (fresh) play->start();
  done(std::move(feed));
}

void FileSource::feed_gone(FileFeed* feed) { std::erase(feeds_, feed); }

void FileSource::play_ended(Play* play, const Error& error) {
  if (error.code != ErrorCode::kNotFound) {
    failure_ = error;
    state_ = rtc::SourceState::kFailed;
  }
  const auto self = shared_from_this();
  const auto held = play->shared_from_this();
  const auto feeds = feeds_;
  for (FileFeed* feed : feeds) {
    // One feed's end may take another along.
    const bool there = std::find(feeds_.begin(), feeds_.end(), feed) != feeds_.end();
    if (there && feed->play() == play) feed->end(error);
  }
}

void FileSource::rename(std::string title, bool is_private) {
  name_.title = std::move(title);
  name_.is_private = is_private;
}

}  // namespace sotto::server::janus
