// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Reads `*.sotto` files: by the index when there is one, else after a walk over the records. What
// stands before a damage is never lost; what stands behind it can be reached when the index is
// whole. For one thread.
#pragma once

#include "core/container/index.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <vector>

namespace sotto::container {

/// Bytes that can be read anywhere.
class Source {
 public:
  virtual ~Source() = default;
  virtual Result<std::uint64_t> size() = 0;
  /// Fills `out` from `offset` on; fewer bytes only at the end.
  virtual Result<std::size_t> read(std::uint64_t offset, std::span<std::uint8_t> out) = 0;
};

class MemorySource : public Source {
 public:
  /// The bytes stay the caller's.
  explicit MemorySource(ByteView bytes) : bytes_(bytes) {}
  Result<std::uint64_t> size() override { return bytes_.size(); }
  Result<std::size_t> read(std::uint64_t offset, std::span<std::uint8_t> out) override;

 private:
  ByteView bytes_;
};

class FileSource : public Source {
 public:
  /// A regular file; kNotFound, kIo, kInvalid.
  static Result<FileSource> open(const std::filesystem::path& path);
  ~FileSource() override;
  FileSource(FileSource&& other) noexcept;
  FileSource& operator=(FileSource&&) = delete;
  Result<std::uint64_t> size() override;
  Result<std::size_t> read(std::uint64_t offset, std::span<std::uint8_t> out) override;

 private:
  explicit FileSource(int file) : file_(file) {}
  int file_;
};

class Reader {
 public:
  /// `source` outlives the reader. kParse: not a file of ours. A file whose index is missing or
  /// does not fit is walked through once; its frames are not read for that.
  static Result<Reader> open(Source& source);

  const FileHead& head() const { return head_; }
  const std::vector<Track>& tracks() const { return tracks_; }
  const Index& index() const { return index_; }
  /// Whether the index had to be made anew.
  bool rebuilt() const { return rebuilt_; }
  /// Why frames end before the index: cut off, or bytes that make no sense. Known after a walk, or
  /// when next() met it.
  const std::optional<Error>& damage() const { return damage_; }

  /// The next frame; its bytes are good until the next call. Nothing at the end, or at a damage:
  /// seek() leads on behind it.
  Result<std::optional<Frame>> next();
  /// To where each track can be played from `pts` on: every picture track then begins with a
  /// keyframe at or before `pts`, where it has one.
  Result<> seek(std::uint64_t pts);

 private:
  explicit Reader(Source& source) : source_(&source) {}
  Result<> begin();
  bool take_index();
  Result<bool> read_tracks();
  Result<> walk();
  Result<bool> holds(std::size_t track, const Index::Entry& entry);
  /// `size` bytes or more from `offset` on, fewer at the end of the file.
  Result<ByteView> window(std::uint64_t offset, std::size_t size);
  Result<Parsed> parse_at(std::uint64_t offset, std::size_t tracks);

  Source* source_;
  std::uint64_t size_ = 0;
  std::uint64_t first_ = 0;  // Behind the head.
  std::uint64_t end_ = 0;    // Of the records.
  std::uint64_t at_ = 0;
  std::size_t passed_ = 0;  // Tracks that stand before at_.
  FileHead head_;
  std::vector<Track> tracks_;
  Index index_;
  bool rebuilt_ = false;
  std::optional<Error> damage_;
  std::array<bool, kMaxTracks> awaits_key_{};
  Bytes window_;
  std::uint64_t window_at_ = 0;
};

}  // namespace sotto::container
