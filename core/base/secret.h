// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Bytes that must not outlive their use: kept out of swap and core dumps where the system allows
// it, between guard pages, and overwritten before the memory is given back.
#pragma once

#include "core/base/bytes.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

namespace sotto {

class Secret {
 public:
  Secret() = default;
  /// `size` bytes of zero.
  explicit Secret(std::size_t size);
  /// A copy; the caller's bytes are the caller's to wipe.
  static Secret copy_of(ByteView bytes);
  static Secret random(std::size_t size);
  Secret(Secret&& other) noexcept;
  Secret& operator=(Secret&& other) noexcept;
  Secret(const Secret&) = delete;
  Secret& operator=(const Secret&) = delete;
  ~Secret() = default;

  Secret clone() const { return copy_of(view()); }
  ByteView view() const { return {bytes_.get(), size_}; }
  std::span<std::uint8_t> span() { return {bytes_.get(), size_}; }
  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  /// Overwrites and frees; empty afterwards.
  void wipe();

 private:
  struct Free {
    void operator()(std::uint8_t* bytes) const;
  };
  std::unique_ptr<std::uint8_t, Free> bytes_;
  std::size_t size_ = 0;
};

/// Overwrites memory that is about to be given back, in a way no compiler leaves out.
void wipe(std::span<std::uint8_t> bytes);

}  // namespace sotto
