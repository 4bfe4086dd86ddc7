// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/rtc/fanout/ring.h"

#include <algorithm>
#include <utility>

namespace sotto::rtc::fanout {

void Ring::push(RingEntry entry) {
  const std::uint64_t index = end();
  if (entry.frame->keyframe) {
    // Parameter sets that some senders put into a frame of their own, with the marker set, belong
    // to the picture of the same timestamp that follows.
    const bool goes_on = group_ && *group_ + 1 == index &&
                         entries_.back().frame->rtp_time == entry.frame->rtp_time &&
                         entries_.back().ssrc == entry.ssrc;
    if (!goes_on) {
      group_ = index;
      group_bytes_ = 0;
    }
  }
  if (group_) group_bytes_ += entry.bytes;
  bytes_ += entry.bytes;
  entries_.push_back(std::move(entry));

  const std::uint64_t backlog = end() - std::min<std::uint64_t>(end(), kBacklog);
  const std::uint64_t keep = group_ ? std::min(*group_, backlog) : backlog;
  while (entries_.size() > 1 &&
         (begin_ < keep || entries_.size() > max_frames_ || bytes_ > max_bytes_)) {
    if (group_ == begin_) {
      group_.reset();
      group_bytes_ = 0;
    }
    bytes_ -= entries_.front().bytes;
    entries_.pop_front();
    ++begin_;
  }
}

}  // namespace sotto::rtc::fanout
