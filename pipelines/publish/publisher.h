// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Keeps an input published: starts it, says how it fares, and starts it again when it breaks.
//
//   kStarting ──► kLive ──┬─ stop(), end of a file ──► kEnded
//      ▲                  └─ error ──► kWaiting ──┐
//      └──────────────────────────────────────────┘  after a pause that grows to 30 s
//
// With options.direct the pipeline ends in LiveTracks and DirectLine serves them; live is then who
// the server knows. A lost server is kWaiting while the pipeline runs and viewers watch on.
//
// What trying again cannot cure (a refused token, a missing encoder, no camera at the first start)
// ends it at once, with the reason.
#pragma once

#include "core/base/error.h"
#include "elements/glue/main_context.h"
#include "pipelines/camera/backoff.h"
#include "pipelines/launch/pipeline_runner.h"
#include "pipelines/publish/direct/direct_line.h"
#include "pipelines/publish/direct/live_tracks.h"
#include "pipelines/publish/graph.h"
#include "pipelines/publish/options.h"
#include "pipelines/publish/process_usage.h"

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace sotto {

enum class PublishState { kStarting, kLive, kWaiting, kEnded };
std::string_view name_of(PublishState state);

/// One report; rates are over the time since the last one.
struct PublishReport {
  PublishState state = PublishState::kStarting;
  std::string encoder;               ///< Empty: passed through.
  std::chrono::seconds live_for{0};  ///< Since the first packet of this attempt.
  unsigned restarts = 0;
  double bits_per_second = 0;
  double packets_per_second = 0;
  double frames_per_second = 0;
  double delay_p50_ms = 0;  ///< From capture (for rtsp: arrival) to the packet given to whip-sink.
  double delay_p99_ms = 0;
  double cpu_percent = 0;  ///< Of one core, the whole process.
  std::uint64_t resident_kib = 0;
  /// Of a publisher who serves viewers himself.
  struct Direct {
    DirectStats now;
    double bits_per_second = 0;  ///< To viewers and relay, all together; before encryption.
  };
  std::optional<Direct> direct;
};

/// For people, one line without its end.
std::string to_text(const PublishReport& report);
/// One JSON object, the same fields.
std::string to_json(const PublishReport& report);

class PublishListener {
 public:
  virtual ~PublishListener() = default;
  /// `reason` is empty unless waiting or ended with an error.
  virtual void on_state(PublishState state, const std::string& reason) = 0;
  virtual void on_report(const PublishReport& report) = 0;
  virtual void on_note(const std::string& note) = 0;
  /// Last call.
  virtual void on_end(Result<> result) = 0;
};

/// An attempt that has nothing to send for so long is broken, whatever it says: an RTSP camera may
/// keep its connection and send no picture, a server may take an offer and never connect.
constexpr std::chrono::milliseconds kPublishSilence{20'000};

class Publisher {
 public:
  /// All on the default main context.
  Publisher(PublishOptions options, PublishListener& listener,
            std::chrono::milliseconds report_interval);
  ~Publisher();
  Publisher(const Publisher&) = delete;
  Publisher& operator=(const Publisher&) = delete;

  void start();
  /// Ends in good order; on_end() follows.
  void stop();

 private:
  void attempt();
  Result<std::shared_ptr<PublishGraph>> build();
  void set_up_direct();
  /// Live, as soon as there is something to send and somebody to send it to.
  void maybe_live();
  void server_lost(const Error& error, const std::chrono::milliseconds* pause);
  void attempt_ended(Result<> result, bool hopeless = false);
  void set_state(PublishState state, const std::string& reason = {});
  void report();
  /// Watches for the first packet and for silence, more often than people want to be told.
  void watch();
  void end(Result<> result);

  const PublishOptions options_;
  PublishListener& listener_;
  const std::chrono::milliseconds interval_;
  MainContext context_;
  camera::Backoff backoff_;
  std::unique_ptr<LiveTracks> tracks_;  ///< These two only when viewers are served from here.
  std::unique_ptr<DirectLine> line_;
  bool tracks_ready_ = false;  ///< Of the present attempt.
  std::uint64_t direct_bytes_ = 0;
  std::shared_ptr<PublishGraph> graph_;
  std::unique_ptr<PipelineRunner> runner_;
  MainContext::Timer retry_;
  MainContext::Timer reporter_;
  MainContext::Timer watcher_;
  ProcessUsage usage_;
  PublishState state_ = PublishState::kStarting;
  std::chrono::steady_clock::time_point live_since_{};
  std::chrono::steady_clock::time_point reported_{};
  std::chrono::steady_clock::time_point heard_{};
  PublishMeter meter_;  ///< Since the last report.
  unsigned restarts_ = 0;
  bool was_live_ = false;
  bool stopping_ = false;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace sotto
