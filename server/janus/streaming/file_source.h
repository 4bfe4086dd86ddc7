// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// Mountpoints of type live and ondemand: a file, as a source.
//
// live: one reader loops the file for everybody, while anybody watches. ondemand: every viewer
// has a reader of its own, which plays the file once.
#pragma once

#include "pipelines/mountpoint/file_reader.h"
#include "server/janus/streaming/rtp_source.h"

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace sotto::server::janus {

class FileSource final : public rtc::Source, public std::enable_shared_from_this<FileSource> {
 public:
  enum class Kind { kLive, kOnDemand };
  static std::shared_ptr<FileSource> create(MainContext& loop, SourceName name, Kind kind,
                                            std::string path);

  rtc::SourceInfo info() const override;
  void open(const rtc::Wish& wish,
            std::function<void(Result<std::unique_ptr<rtc::Feed>>)> done) override;
  void rename(std::string title, bool is_private);

 private:
  class FileFeed;
  friend class FileFeed;
  /// One playing of the file: the live one, or one viewer's.
  class Play;

  FileSource(MainContext& loop, SourceName name, Kind kind, std::string path);
  void look();
  void found(Result<std::vector<rtc::Codec>> codecs);
  void give(const rtc::Wish& wish,
            const std::function<void(Result<std::unique_ptr<rtc::Feed>>)>& done);
  void feed_gone(FileFeed* feed);
  void play_ended(Play* play, const Error& error);

  MainContext& loop_;
  SourceName name_;
  const Kind kind_;
  const std::string path_;
  std::unique_ptr<FileReader> probe_;
  std::vector<rtc::Codec> codecs_;
  Error failure_;
  rtc::SourceState state_ = rtc::SourceState::kStarting;
  /// Viewers that came while the file was still being looked at.
  std::vector<std::function<void()>> waiting_;
  std::weak_ptr<Play> live_;
  std::vector<FileFeed*> feeds_;
};

}  // namespace sotto::server::janus
