// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// A camera as a source: one connection for all its viewers, in whatever codec each can take.
//
//            ┌ main line ─► Ingest ─┬─ PassThrough ──► Track (as it came) ──► FeedTrack.track
//   Camera ──┤                      └─ RtpConverter ─► Track (H264, VP8, opus)
//            └ sub line ──► Ingest ── PassThrough ──► Track ────────────────► FeedTrack.small
#pragma once

#include "core/rtc/source.h"
#include "elements/glue/main_context.h"
#include "pipelines/camera/line.h"
#include "pipelines/camera/options.h"

#include <functional>
#include <memory>

namespace sotto::camera {

struct CameraStats {
  LineStats main;
  LineStats sub;
  std::size_t viewers = 0;
};

/// Main context only.
class Camera final : public rtc::Source, public std::enable_shared_from_this<Camera> {
 public:
  static std::shared_ptr<Camera> create(MainContext& loop, Options options);
  ~Camera() override;

  rtc::SourceInfo info() const override;
  void open(const rtc::Wish& wish,
            std::function<void(Result<std::unique_ptr<rtc::Feed>>)> done) override;

  /// Called whenever state, reason or tracks change.
  void on_change(std::function<void()> listener) { listener_ = std::move(listener); }
  /// For good: feeds end, connections close. Also at destruction.
  void close();
  CameraStats stats() const;
  const Options& options() const { return options_; }

 private:
  class FeedImpl;
  Camera(MainContext& loop, Options options);
  void start();
  std::unique_ptr<rtc::Feed> make_feed(const std::shared_ptr<Line>& line, Line::Grant grant);
  void watch_sub();

  MainContext& loop_;
  const Options options_;
  std::function<void()> listener_;
  std::shared_ptr<Line> main_;
  std::shared_ptr<Line> sub_;  // Null: the camera has none.
  std::shared_ptr<Line::Hold> warm_;
  std::shared_ptr<Line::Hold> sub_hold_;  // While viewers take the small picture.
  rtc::MonotonicTime sub_seen_{};         // When they were last seen.
  MainContext::Timer sub_watch_;
  std::size_t viewers_ = 0;
};

}  // namespace sotto::camera
