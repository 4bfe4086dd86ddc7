// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Where one may begin to play. Writer and reader build it with the same rules, so an index that
// was lost comes back as it was.
#pragma once

#include "core/container/format.h"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace sotto::container {

class Index {
 public:
  /// Entries of one track; when they are full, every other one goes and the distance doubles. At
  /// two seconds between keyframes that is after nine hours.
  static constexpr std::size_t kMaxEntries = 16384;
  static constexpr std::uint64_t kSoundSpacing = 1'000'000'000;  // Nanoseconds.

  struct Entry {
    std::uint64_t pts = 0;
    std::uint64_t offset = 0;  ///< Of the frame's record, in bytes from the beginning.
    bool operator==(const Entry&) const = default;
  };

  void add_track(bool sound, std::uint64_t offset);
  /// `frame` of a track that was added.
  void add_frame(const FrameHead& frame, std::uint64_t offset);

  std::uint64_t frames() const { return frames_; }
  /// The latest pts.
  std::uint64_t last() const { return last_; }
  std::size_t tracks() const { return tracks_.size(); }
  std::uint64_t track_offset(std::size_t track) const { return tracks_[track].offset; }
  const std::vector<Entry>& entries(std::size_t track) const { return tracks_[track].entries; }
  /// The last entry at or before `pts`, else the first; null when the track has none.
  const Entry* before(std::size_t track, std::uint64_t pts) const;

  Bytes encode() const;
  /// Offsets are below `end` and ascend; kParse otherwise.
  static Result<Index> parse(ByteView bytes, std::uint64_t end);

  bool operator==(const Index&) const = default;

 private:
  struct PerTrack {
    std::uint64_t offset = 0;
    std::uint64_t spacing = 0;
    std::vector<Entry> entries;
    bool operator==(const PerTrack& other) const {
      return offset == other.offset && entries == other.entries;
    }
  };
  std::vector<PerTrack> tracks_;
  std::uint64_t frames_ = 0;
  std::uint64_t last_ = 0;
};

}  // namespace sotto::container
