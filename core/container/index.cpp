// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/container/index.h"

#include "core/base/cbor.h"
#include "core/container/labels.h"

#include <algorithm>

namespace sotto::container {

void Index::add_track(bool sound, std::uint64_t offset) {
  tracks_.push_back({offset, sound ? kSoundSpacing : 1, {}});
}

void Index::add_frame(const FrameHead& frame, std::uint64_t offset) {
  ++frames_;
  last_ = std::max(last_, frame.pts);
  auto& track = tracks_[frame.track];
  auto& entries = track.entries;
  // Times may jump back when a sender starts anew; entries only ascend.
  if (!frame.key || (!entries.empty() && frame.pts < entries.back().pts + track.spacing)) return;
  entries.push_back({frame.pts, offset});
  if (entries.size() <= kMaxEntries) return;
  std::size_t kept = 0;
  for (std::size_t i = 0; i < entries.size(); i += 2) entries[kept++] = entries[i];
  entries.resize(kept);
  track.spacing = std::max(2 * track.spacing, (entries.back().pts - entries.front().pts) / kept);
}

const Index::Entry* Index::before(std::size_t track, std::uint64_t pts) const {
  const auto& entries = tracks_[track].entries;
  if (entries.empty()) return nullptr;
  const auto after =
      std::upper_bound(entries.begin(), entries.end(), pts,
                       [](std::uint64_t time, const Entry& entry) { return time < entry.pts; });
  return after == entries.begin() ? &entries.front() : &*std::prev(after);
}

Bytes Index::encode() const {
  cbor::Writer out;
  out.array(4).text(kIndexLabel).number(frames_).number(last_).array(tracks_.size());
  for (const auto& track : tracks_) {
    out.array(2).number(track.offset).array(track.entries.size());
    for (const auto& entry : track.entries) {
      out.array(2).number(entry.pts).number(entry.offset);
    }
  }
  return out.take();
}

Result<Index> Index::parse(ByteView bytes, std::uint64_t end) {
  const auto broken = fail(ErrorCode::kParse, "the index is broken");
  cbor::Reader reader(bytes);
  if (!reader.labelled(4, kIndexLabel)) return broken;
  const auto frames = reader.number();
  const auto last = reader.number();
  const auto tracks = reader.array();
  if (!frames || !last || !tracks || *tracks > kMaxTracks || *last > kMaxPts) return broken;
  Index out;
  out.frames_ = *frames;
  out.last_ = *last;
  std::uint64_t track_after = 0;
  for (std::uint64_t i = 0; i < *tracks; ++i) {
    const bool pair = reader.array() == 2U;
    const auto offset = reader.number();
    const auto count = reader.array();
    if (!pair || !offset || !count || *count > kMaxEntries) return broken;
    if (*offset < track_after || *offset >= end) return broken;
    track_after = *offset + 1;
    PerTrack track{*offset, 0, {}};
    Entry before{0, *offset};
    for (std::uint64_t n = 0; n < *count; ++n) {
      const bool entry_pair = reader.array() == 2U;
      const auto pts = reader.number();
      const auto at = reader.number();
      if (!entry_pair || !pts || !at || *at <= before.offset || *at >= end) return broken;
      if ((n != 0 && *pts <= before.pts) || *pts > *last) return broken;
      before = {*pts, *at};
      track.entries.push_back(before);
    }
    out.tracks_.push_back(std::move(track));
  }
  if (!reader.at_end()) return broken;
  return out;
}

}  // namespace sotto::container
