// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "server/janus/recording.h"

#include "pipelines/recording/place.h"
#include "server/base/events.h"
#include "server/base/log.h"
#include "server/config/config.h"

#include <chrono>

namespace sotto::server::janus {
namespace {

std::filesystem::path folder_of(const Config& config) {
  return config.recordings.folder.empty() ? config.data_dir / "recordings"
                                          : std::filesystem::path(config.recordings.folder);
}

}  // namespace

Result<std::unique_ptr<Recording>> Recording::start(Context& server, const std::string& name,
                                                    std::string of,
                                                    std::vector<std::shared_ptr<rtc::Track>> tracks,
                                                    std::function<void()> ended) {
  auto base = recording::place(folder_of(server.config), name);
  if (!base) return tl::unexpected<Error>(base.error());
  std::unique_ptr<Recording> recording(new Recording(server, std::move(of)));
  auto recorder = Recorder::start(
      server.loop, std::move(*base), std::move(tracks),
      // The recorder is ours: it calls nobody once we are gone.
      [self = recording.get(), ended = std::move(ended)](const Error& error) {
        self->failed_ = true;
        const std::string file = self->recorder_->file().string();
        log::error("janus", "recording ended",
                   {{"of", self->of_}, {"file", file}, {"why", error.message}});
        self->server_.events.publish("recording.failed",
                                     {{"of", self->of_}, {"file", file}, {"why", error.message}});
        if (ended) ended();  // May destroy us.
      });
  if (!recorder) return tl::unexpected<Error>(recorder.error());
  recording->recorder_ = std::move(*recorder);
  const std::string file = recording->recorder_->file().string();
  log::info("janus", "recording", {{"of", recording->of_}, {"file", file}});
  server.events.publish("recording.started", {{"of", recording->of_}, {"file", file}});
  return recording;
}

Recording::~Recording() {
  if (recorder_ == nullptr || failed_) return;
  const std::string file = recorder_->file().string();
  // The file is finished in the background, a moment from now.
  recorder_->stop([of = of_, file](const Result<std::filesystem::path>& done) {
    if (done) {
      log::info("janus", "recorded", {{"of", of}, {"file", file}});
    } else {
      log::warning("janus", "not recorded", {{"of", of}, {"why", done.error().message}});
    }
  });
  server_.events.publish("recording.finished", {{"of", of_}, {"file", file}});
}

std::unique_ptr<recording::Repair> repair_recordings(const Context& server) {
  return std::make_unique<recording::Repair>(
      recording::unfinished(folder_of(server.config)),
      [](const std::filesystem::path& part, const Result<std::filesystem::path>& finished) {
        if (finished) {
          log::info("janus", "unfinished recording made whole", {{"file", finished->string()}});
        } else if (finished.error().code == ErrorCode::kNotFound) {
          log::info("janus", "empty recording removed", {{"file", part.string()}});
        } else {
          log::warning("janus", "unfinished recording stays as it is",
                       {{"file", part.string()}, {"why", finished.error().message}});
        }
      });
}

std::string recording_name(const std::string& of) {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return of + "-" +
         std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(now).count());
}

}  // namespace sotto::server::janus
