// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Small parts that both e2ee elements need: mapped buffers, results in new buffers, messages that
// do not flood the bus.
#pragma once

#include "core/e2ee/frame.h"
#include "elements/glue/gst_ptr.h"

#include <gst/gst.h>

namespace sotto {

/// Read access to a whole buffer.
class MappedBuffer {
 public:
  explicit MappedBuffer(GstBuffer* buffer)
      : buffer_(buffer), mapped_(gst_buffer_map(buffer, &info_, GST_MAP_READ) != FALSE) {}
  ~MappedBuffer() {
    if (mapped_) gst_buffer_unmap(buffer_, &info_);
  }
  MappedBuffer(const MappedBuffer&) = delete;
  MappedBuffer& operator=(const MappedBuffer&) = delete;
  explicit operator bool() const { return mapped_; }
  ByteView view() const { return {info_.data, info_.size}; }

 private:
  GstBuffer* buffer_;
  GstMapInfo info_{};
  bool mapped_;
};

/// The result of sealing or opening, in a buffer of its own.
class BufferOutput : public e2ee::Output {
 public:
  BufferOutput() = default;
  ~BufferOutput() override { unmap(); }
  BufferOutput(const BufferOutput&) = delete;
  BufferOutput& operator=(const BufferOutput&) = delete;
  std::span<std::uint8_t> reserve(std::size_t size) override {
    buffer_ = GstPtr<GstBuffer>::adopt(gst_buffer_new_allocate(nullptr, size, nullptr));
    if (!buffer_ || gst_buffer_map(buffer_.get(), &info_, GST_MAP_WRITE) == FALSE) return {};
    mapped_ = true;
    return {info_.data, info_.size};
  }
  void commit(std::size_t size) override {
    unmap();
    gst_buffer_set_size(buffer_.get(), static_cast<gssize>(size));
    committed_ = true;
  }
  /// The buffer with the original's flags, times and metas.
  GstPtr<GstBuffer> take(GstBuffer* original) {
    if (!committed_) return nullptr;
    gst_buffer_copy_into(buffer_.get(), original, GST_BUFFER_COPY_METADATA, 0,
                         static_cast<gsize>(-1));
    return std::move(buffer_);
  }

 private:
  void unmap() {
    if (mapped_) gst_buffer_unmap(buffer_.get(), &info_);
    mapped_ = false;
  }
  GstPtr<GstBuffer> buffer_;
  GstMapInfo info_{};
  bool mapped_ = false;
  bool committed_ = false;
};

/// Lets one through per second and counts those it held back.
class Limiter {
 public:
  /// Zero when this one is held back; else how many it stands for.
  guint64 pass() {
    ++held_;
    const gint64 now = g_get_monotonic_time();
    if (next_ != 0 && now < next_) return 0;
    next_ = now + kInterval;
    return std::exchange(held_, 0);
  }
  void reset() { *this = Limiter(); }

 private:
  static constexpr gint64 kInterval = G_USEC_PER_SEC;
  gint64 next_ = 0;
  guint64 held_ = 0;
};

}  // namespace sotto
