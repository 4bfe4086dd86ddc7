// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/container/writer.h"

#include "core/base/cbor.h"
#include "core/container/labels.h"

#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

namespace sotto::container {

Bytes Writer::begin(FileHead head) {
  auto out = encode(head);
  size_ += out.size();
  return out;
}

Result<Writer::Added> Writer::add(const Track& track) {
  if (index_.tracks() >= kMaxTracks) return fail(ErrorCode::kTooLarge, "too many tracks");
  if (track.label.size() > kMaxLabel || track.mapping.size() > kMaxMapping) {
    return fail(ErrorCode::kTooLarge, "a track's label or mapping is too long");
  }
  if (!cbor::is_utf8(as_bytes(track.label))) {
    return fail(ErrorCode::kInvalid, "a track's label is not UTF-8");
  }
  const auto number = static_cast<std::uint32_t>(index_.tracks());
  Added out{number, encode(track, number)};
  index_.add_track(is_sound(track), size_);
  size_ += out.bytes.size();
  return out;
}

Result<Bytes> Writer::append(const Frame& frame) {
  if (frame.track >= index_.tracks()) return fail(ErrorCode::kInvalid, "no such track");
  if (frame.bytes.size() > kMaxSealed) return fail(ErrorCode::kTooLarge, "the frame is too large");
  if (frame.pts > kMaxPts) return fail(ErrorCode::kTooLarge, "the frame's time is out of range");
  auto head = encode_head(frame);
  index_.add_frame({frame.track, frame.pts, frame.key, frame.kid, head.size(), frame.bytes.size()},
                   size_);
  size_ += head.size() + frame.bytes.size();
  return head;
}

Bytes Writer::finish() {
  const auto at = size_;
  auto out = index_.encode();
  const auto end = encode_end(at);
  out.insert(out.end(), end.begin(), end.end());
  size_ += out.size();
  return out;
}

Result<FileWriter> FileWriter::create(const std::filesystem::path& path, FileHead head,
                                      std::chrono::milliseconds sync_every) {
  const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (file < 0) {
    const int number = errno;
    return fail(number == EEXIST ? ErrorCode::kExists : ErrorCode::kIo,
                "cannot make " + path.string() + ": " + std::strerror(number));
  }
  FileWriter out(file, path, sync_every);
  if (auto done = out.put(out.writer_.begin(head)); !done) {
    return tl::unexpected<Error>(done.error());
  }
  return out;
}

FileWriter::FileWriter(int file, std::filesystem::path path, std::chrono::milliseconds sync_every)
    : file_(file),
      path_(std::move(path)),
      sync_every_(sync_every),
      synced_(std::chrono::steady_clock::now()) {}

FileWriter::~FileWriter() {
  if (file_ >= 0) close(file_);
}

FileWriter::FileWriter(FileWriter&& other) noexcept
    : file_(std::exchange(other.file_, -1)),
      path_(std::move(other.path_)),
      sync_every_(other.sync_every_),
      synced_(other.synced_),
      writer_(std::move(other.writer_)),
      broken_(other.broken_) {}

FileWriter& FileWriter::operator=(FileWriter&& other) noexcept {
  std::swap(file_, other.file_);
  path_ = std::move(other.path_);
  sync_every_ = other.sync_every_;
  synced_ = other.synced_;
  writer_ = std::move(other.writer_);
  broken_ = other.broken_;
  return *this;
}

Result<std::uint32_t> FileWriter::add(const Track& track) {
  auto added = writer_.add(track);
  if (!added) return tl::unexpected<Error>(added.error());
  if (auto done = put(added->bytes); !done) return tl::unexpected<Error>(done.error());
  return added->track;
}

Result<> FileWriter::append(const Frame& frame) {
  const auto head = writer_.append(frame);
  if (!head) return tl::unexpected<Error>(head.error());
  return put(*head, frame.bytes);
}

Result<> FileWriter::finish() {
  if (auto done = put(writer_.finish()); !done) return done;
  broken_ = true;
  return fsync(file_) == 0 ? Result<>() : wrong("cannot write");
}

Result<> FileWriter::put(ByteView head, ByteView body) {
  if (broken_) return fail(ErrorCode::kConflict, path_.string() + " has its end already");
  std::array<iovec, 2> parts{};
  std::size_t left = head.size() + body.size();
  while (left > 0) {
    parts[0] = {const_cast<std::uint8_t*>(head.data()), head.size()};
    parts[1] = {const_cast<std::uint8_t*>(body.data()), body.size()};
    const auto wrote = writev(file_, parts.data(), 2);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) {
      broken_ = true;
      return wrong("cannot write");
    }
    const auto size = static_cast<std::size_t>(wrote);
    const auto of_head = std::min(size, head.size());
    head = head.subspan(of_head);
    body = body.subspan(size - of_head);
    left -= size;
  }
  const auto now = std::chrono::steady_clock::now();
  if (now - synced_ < sync_every_) return {};
  synced_ = now;
  return fdatasync(file_) == 0 ? Result<>() : wrong("cannot write");
}

Result<> FileWriter::wrong(const char* what) const {
  const int number = errno;
  return fail(ErrorCode::kIo,
              std::string(what) + " " + path_.string() + ": " + std::strerror(number));
}

}  // namespace sotto::container
