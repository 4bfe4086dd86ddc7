// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Makes `*.sotto` files. `Writer` says which bytes to append, in this order, to whatever keeps
// them; `FileWriter` appends them to a file, one call of the system per record, so that a process
// that is killed loses no more than the record it was writing.
#pragma once

#include "core/container/index.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <vector>

namespace sotto::container {

class Writer {
 public:
  /// To be called first, once.
  Bytes begin(FileHead head = {});
  struct Added {
    std::uint32_t track;
    Bytes bytes;
  };
  /// kTooLarge: more than kMaxTracks, or a label or mapping beyond its limit; kInvalid: the label
  /// is not UTF-8.
  Result<Added> add(const Track& track);
  /// What to append in front of the frame's bytes. kInvalid: an unknown track; kTooLarge.
  Result<Bytes> append(const Frame& frame);
  /// To be called last.
  Bytes finish();

  const Index& index() const { return index_; }
  /// Bytes so far.
  std::uint64_t size() const { return size_; }

 private:
  Index index_;
  std::uint64_t size_ = 0;
};

class FileWriter {
 public:
  /// Makes the file with mode 0600; kExists when it is there. What was appended survives the death
  /// of the process at once and a loss of power after at most `sync_every`.
  static Result<FileWriter> create(const std::filesystem::path& path, FileHead head = {},
                                   std::chrono::milliseconds sync_every = kSyncEvery);
  ~FileWriter();
  FileWriter(FileWriter&& other) noexcept;
  FileWriter& operator=(FileWriter&& other) noexcept;

  Result<std::uint32_t> add(const Track& track);
  Result<> append(const Frame& frame);
  /// Writes the index; nothing may be appended afterwards.
  Result<> finish();
  const Index& index() const { return writer_.index(); }

  static constexpr std::chrono::milliseconds kSyncEvery{1000};

 private:
  FileWriter(int file, std::filesystem::path path, std::chrono::milliseconds sync_every);
  Result<> put(ByteView head, ByteView body = {});
  Result<> wrong(const char* what) const;

  int file_ = -1;
  std::filesystem::path path_;
  std::chrono::milliseconds sync_every_;
  std::chrono::steady_clock::time_point synced_;
  Writer writer_;
  bool broken_ = false;  // Half a record may stand at the end: nothing can follow it.
};

}  // namespace sotto::container
