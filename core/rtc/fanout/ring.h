// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// The newest frames of a track: the last group of pictures for those who join, and a backlog for
// workers that are a little behind.
#pragma once

#include "core/rtc/frame.h"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>

namespace sotto::rtc::fanout {

struct RingEntry {
  FramePtr frame;
  std::size_t bytes = 0;
  std::uint32_t ssrc = 0;
};

/// Frames are known by an index that counts up for ever. Not thread safe.
class Ring {
 public:
  /// A worker further behind than this has lost its place.
  static constexpr std::size_t kBacklog = 64;

  Ring(std::size_t max_frames, std::size_t max_bytes)
      : max_frames_(max_frames), max_bytes_(max_bytes) {}

  void push(RingEntry entry);

  std::uint64_t begin() const { return begin_; }                  ///< Index of the oldest frame.
  std::uint64_t end() const { return begin_ + entries_.size(); }  ///< One past the newest.
  const RingEntry& at(std::uint64_t index) const { return entries_[index - begin_]; }

  /// Where the newest group of pictures starts; nothing when there was no keyframe, or when the
  /// group has outgrown the ring.
  std::optional<std::uint64_t> group() const { return group_; }
  std::size_t group_bytes() const { return group_bytes_; }
  /// From now on there is none, until the next keyframe.
  void forget_group() {
    group_.reset();
    group_bytes_ = 0;
  }

 private:
  std::size_t max_frames_;
  std::size_t max_bytes_;
  std::deque<RingEntry> entries_;
  std::uint64_t begin_ = 0;
  std::size_t bytes_ = 0;
  std::optional<std::uint64_t> group_;
  std::size_t group_bytes_ = 0;
};

}  // namespace sotto::rtc::fanout
