// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// Everything that can be watched through the streaming plugin: mountpoints made by the
// configuration or the API, and every other source of the registry (cameras, WHIP publishers).
#pragma once

#include "core/rtc/source.h"
#include "server/base/context.h"
#include "server/janus/streaming/spec.h"

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace sotto::server::janus {

class StreamViewer;

/// One thing to watch, by its number.
struct Mountpoint {
  std::uint64_t id = 0;
  std::string source_id;  ///< In the registry.
  MountpointSpec spec;    ///< Of a source that is not ours only the description is filled.
  bool ours = false;
  bool enabled = true;
  std::shared_ptr<rtc::Source> source;

  std::vector<std::uint16_t> ports() const;
};
using MountpointPtr = std::shared_ptr<Mountpoint>;

/// Makes a source of type rtsp.
using RtspFactory =
    std::function<std::shared_ptr<rtc::Source>(const SourceName& name, const MountpointSpec& spec)>;

class Mountpoints {
 public:
  /// What the API may add; the configuration is not counted.
  static constexpr std::size_t kMaxCreated = 1000;

  Mountpoints(Context& server, RtspFactory rtsp);
  ~Mountpoints();
  Mountpoints(const Mountpoints&) = delete;
  Mountpoints& operator=(const Mountpoints&) = delete;

  /// Those of the configuration and those the state store remembers.
  void restore();

  StreamingResult<MountpointPtr> create(MountpointSpec spec);
  /// Ends its viewers. `forget`: also what the state store remembers of it.
  void destroy(const MountpointPtr& mountpoint, bool forget);
  void enable(const MountpointPtr& mountpoint, bool enabled);
  void kick_all(const MountpointPtr& mountpoint);
  /// Changed description, secret, pin …; kept over restarts when `permanent`.
  void edited(const MountpointPtr& mountpoint, bool permanent);

  /// Ours by id first, then any source of the registry by its stable number or its name.
  MountpointPtr find(const Json& id) const;
  std::vector<MountpointPtr> all() const;

  void add_viewer(StreamViewer* viewer) { viewers_.push_back(viewer); }
  void remove_viewer(StreamViewer* viewer);

 private:
  MountpointPtr foreign(std::shared_ptr<rtc::Source> source) const;
  StreamingResult<std::shared_ptr<rtc::Source>> make_source(const SourceName& name,
                                                            const MountpointSpec& spec) const;
  Result<std::string> media_file(const std::string& name) const;
  StreamingResult<MountpointPtr> add(MountpointSpec spec);

  Context& server_;
  RtspFactory rtsp_;
  std::map<std::uint64_t, MountpointPtr> ours_;
  std::vector<StreamViewer*> viewers_;
};

}  // namespace sotto::server::janus
