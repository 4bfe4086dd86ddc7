// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// The `recording` verb: which media of which mountpoint goes into which file.
#pragma once

#include "server/janus/recording.h"
#include "server/janus/streaming/mountpoints.h"

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace sotto::server::janus {

class MountpointRecordings {
 public:
  explicit MountpointRecordings(Context& server) : server_(server) {}

  /// `body` of a request whose action is start, stop, pause or resume. Media are named by
  /// `media: [{mid, filename}]` or, as old clients do, by `audio` and `video`; without either all
  /// are meant. Media with the same filename share a file, in step.
  StreamingResult<void> apply(const MountpointPtr& mountpoint, const std::string& action,
                              const Json& body);
  /// The mountpoint goes: its files are finished.
  void drop(std::uint64_t mountpoint) { active_.erase(mountpoint); }
  void drop_all() { active_.clear(); }
  /// Files of this mountpoint that are being written.
  std::size_t count(std::uint64_t mountpoint) const;

 private:
  struct Wanted {
    std::string mid;
    std::string file;  ///< Empty: one name for all of them.
  };
  struct File {
    std::string name;
    std::vector<std::string> mids;
    std::unique_ptr<Recording> recording;
  };
  struct Active {
    std::unique_ptr<rtc::Feed> feed;
    std::vector<File> files;
    bool opening = false;
    unsigned number = 0;
  };

  static StreamingResult<std::vector<Wanted>> wanted(const Mountpoint& mountpoint, const Json& body,
                                                     bool named);
  StreamingResult<void> start(const MountpointPtr& mountpoint, std::vector<Wanted> media);
  StreamingResult<void> begin(const Mountpoint& mountpoint, Active& active,
                              std::vector<Wanted> media);
  void stop(std::uint64_t mountpoint, const std::vector<Wanted>& media);

  Context& server_;
  std::map<std::uint64_t, Active> active_;
  unsigned next_number_ = 1;
  /// Feeds that open after we are gone concern nobody.
  std::shared_ptr<MountpointRecordings*> self_ = std::make_shared<MountpointRecordings*>(this);
};

}  // namespace sotto::server::janus
