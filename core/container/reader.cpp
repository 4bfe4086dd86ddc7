// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/container/reader.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace sotto::container {
namespace {

constexpr std::size_t kWindow = 64UL << 10U;  // Bytes read at a time.

Error cut_off() { return {ErrorCode::kParse, "the file is cut off"}; }

}  // namespace

Result<std::size_t> MemorySource::read(std::uint64_t offset, std::span<std::uint8_t> out) {
  if (offset >= bytes_.size()) return 0;
  const auto part = bytes_.subspan(static_cast<std::size_t>(offset));
  const auto size = std::min(part.size(), out.size());
  std::copy_n(part.begin(), size, out.begin());
  return size;
}

Result<FileSource> FileSource::open(const std::filesystem::path& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (file < 0) {
    const int number = errno;
    return fail(number == ENOENT ? ErrorCode::kNotFound : ErrorCode::kIo,
                "cannot read " + path.string() + ": " + std::strerror(number));
  }
  FileSource out(file);
  struct stat facts {};
  if (fstat(file, &facts) != 0 || !S_ISREG(facts.st_mode)) {
    return fail(ErrorCode::kInvalid, path.string() + " is not a regular file");
  }
  return out;
}

FileSource::~FileSource() {
  if (file_ >= 0) close(file_);
}

FileSource::FileSource(FileSource&& other) noexcept : file_(std::exchange(other.file_, -1)) {}

Result<std::uint64_t> FileSource::size() {
  struct stat facts {};
  if (fstat(file_, &facts) != 0) return fail(ErrorCode::kIo, std::strerror(errno));
  return static_cast<std::uint64_t>(facts.st_size);
}

Result<std::size_t> FileSource::read(std::uint64_t offset, std::span<std::uint8_t> out) {
  std::size_t done = 0;
  while (done < out.size()) {
    const auto got =
        pread(file_, out.data() + done, out.size() - done, static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail(ErrorCode::kIo, std::string("cannot read: ") + std::strerror(errno));
    if (got == 0) break;
    done += static_cast<std::size_t>(got);
  }
  return done;
}

Result<Reader> Reader::open(Source& source) {
  Reader out(source);
  if (auto done = out.begin(); !done) return tl::unexpected<Error>(done.error());
  return out;
}

Result<> Reader::begin() {
  const auto size = source_->size();
  if (!size) return tl::unexpected<Error>(size.error());
  size_ = *size;
  const auto parsed = parse_at(0, 0);
  if (!parsed && parsed.error().code == ErrorCode::kIo) {
    return tl::unexpected<Error>(parsed.error());
  }
  const auto* head = parsed ? std::get_if<FileHead>(&*parsed->record) : nullptr;
  if (head == nullptr) return fail(ErrorCode::kParse, "not a sealed file");
  head_ = *head;
  first_ = parsed->size;
  at_ = first_;
  if (take_index()) {
    const auto read = read_tracks();
    if (!read) return tl::unexpected<Error>(read.error());
    if (*read) return {};
  }
  return walk();
}

/// The index at the end, when it makes sense.
bool Reader::take_index() {
  if (size_ < first_ + kEndSize) return false;
  const auto end = window(size_ - kEndSize, kEndSize);
  if (!end) return false;
  const auto offset = parse_end(*end);
  if (!offset || *offset < first_ || *offset > size_ - kEndSize) return false;
  const auto length = size_ - kEndSize - *offset;
  if (length > kMaxIndexBytes) return false;
  const auto bytes = window(*offset, static_cast<std::size_t>(length));
  if (!bytes || bytes->size() < length) return false;
  auto index = Index::parse(bytes->first(static_cast<std::size_t>(length)), *offset);
  if (!index) return false;
  index_ = std::move(*index);
  end_ = *offset;
  return true;
}

/// The tracks that the index names; false when they are not where it says.
Result<bool> Reader::read_tracks() {
  tracks_.clear();
  for (std::size_t i = 0; i < index_.tracks(); ++i) {
    auto parsed = parse_at(index_.track_offset(i), i);
    if (!parsed && parsed.error().code == ErrorCode::kIo) {
      return tl::unexpected<Error>(parsed.error());
    }
    auto* track = parsed ? std::get_if<Track>(&*parsed->record) : nullptr;
    if (track == nullptr) return false;
    tracks_.push_back(std::move(*track));
  }
  return true;
}

/// From record to record, noting where each can be found.
Result<> Reader::walk() {
  rebuilt_ = true;
  tracks_.clear();
  index_ = {};
  damage_.reset();
  auto at = first_;
  for (;;) {
    auto parsed = parse_at(at, tracks_.size());
    if (!parsed) {
      if (parsed.error().code == ErrorCode::kIo) return tl::unexpected<Error>(parsed.error());
      damage_ = parsed.error();
      break;
    }
    if (parsed->size > size_ - at) {
      damage_ = cut_off();
      break;
    }
    if (std::holds_alternative<IndexMark>(*parsed->record)) break;
    if (auto* track = std::get_if<Track>(&*parsed->record)) {
      index_.add_track(is_sound(*track), at);
      tracks_.push_back(std::move(*track));
    } else if (const auto* frame = std::get_if<FrameHead>(&*parsed->record)) {
      index_.add_frame(*frame, at);
    } else {
      damage_ = Error{ErrorCode::kParse, "a second head in one file"};
      break;
    }
    at += parsed->size;
  }
  end_ = at;
  return {};
}

Result<std::optional<Frame>> Reader::next() {
  while (at_ < end_) {
    const auto parsed = parse_at(at_, passed_);
    if (!parsed && parsed.error().code == ErrorCode::kIo) {
      return tl::unexpected<Error>(parsed.error());
    }
    if (!parsed || parsed->size > end_ - at_) {
      damage_ = parsed ? cut_off() : parsed.error();
      at_ = end_;
      break;
    }
    const auto at = std::exchange(at_, at_ + parsed->size);
    const auto* head = std::get_if<FrameHead>(&*parsed->record);
    if (head == nullptr) {
      if (std::holds_alternative<Track>(*parsed->record)) {
        ++passed_;
        continue;
      }
      damage_ = Error{ErrorCode::kParse, "a record where none may be"};
      at_ = end_;
      break;
    }
    if (awaits_key_[head->track] && !head->key) continue;
    awaits_key_[head->track] = false;
    const auto bytes = window(at, head->size());
    if (!bytes) return tl::unexpected<Error>(bytes.error());
    if (bytes->size() < head->size()) return fail(ErrorCode::kIo, "the file became shorter");
    return Frame{head->track, head->pts, head->key, head->kid,
                 bytes->subspan(head->head_size, head->bytes_size)};
  }
  return std::optional<Frame>();
}

Result<> Reader::seek(std::uint64_t pts) {
  for (;;) {
    auto to = end_;
    bool good = true;
    for (std::size_t i = 0; good && i < tracks_.size(); ++i) {
      const auto* entry = index_.before(i, pts);
      if (entry == nullptr) continue;
      const auto found = holds(i, *entry);
      if (!found) return tl::unexpected<Error>(found.error());
      good = *found;
      to = std::min(to, entry->offset);
    }
    if (good) {
      at_ = to == end_ ? first_ : to;
      break;
    }
    // Somebody's index, or a file that was changed under it: never believed, and made once.
    if (rebuilt_) return fail(ErrorCode::kParse, "the file changes while it is read");
    if (auto done = walk(); !done) return done;
  }
  passed_ = 0;
  while (passed_ < tracks_.size() && index_.track_offset(passed_) < at_) ++passed_;
  for (std::size_t i = 0; i < tracks_.size(); ++i) awaits_key_[i] = !is_sound(tracks_[i]);
  return {};
}

/// Whether what the index says of this frame is so.
Result<bool> Reader::holds(std::size_t track, const Index::Entry& entry) {
  const auto parsed = parse_at(entry.offset, tracks_.size());
  if (!parsed) {
    if (parsed.error().code == ErrorCode::kIo) return tl::unexpected<Error>(parsed.error());
    return false;
  }
  const auto* frame = std::get_if<FrameHead>(&*parsed->record);
  return frame != nullptr && frame->track == track && frame->pts == entry.pts && frame->key &&
         frame->size() <= end_ - entry.offset;
}

Result<ByteView> Reader::window(std::uint64_t offset, std::size_t size) {
  const auto left = size_ - std::min(offset, size_);
  size = static_cast<std::size_t>(std::min<std::uint64_t>(size, left));
  if (offset < window_at_ || offset + size > window_at_ + window_.size()) {
    window_.resize(
        static_cast<std::size_t>(std::min<std::uint64_t>(std::max(size, kWindow), left)));
    window_at_ = offset;
    const auto got = source_->read(offset, window_);
    window_.resize(got ? *got : 0);
    if (!got) return tl::unexpected<Error>(got.error());
  }
  return ByteView(window_).subspan(
      static_cast<std::size_t>(std::min<std::uint64_t>(offset - window_at_, window_.size())));
}

/// One record; always with `record`, or an error.
Result<Parsed> Reader::parse_at(std::uint64_t offset, std::size_t tracks) {
  std::size_t wanted = kMaxFrameHead;
  for (;;) {
    const auto bytes = window(offset, wanted);
    if (!bytes) return tl::unexpected<Error>(bytes.error());
    auto parsed = parse_record(*bytes, tracks);
    if (!parsed || parsed->record) return parsed;
    if (bytes->size() >= parsed->size || wanted >= parsed->size) {
      return tl::unexpected<Error>(cut_off());
    }
    wanted = parsed->size;
  }
}

}  // namespace sotto::container
