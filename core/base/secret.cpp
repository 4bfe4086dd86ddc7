// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/base/secret.h"

#include <sodium.h>

#include <algorithm>
#include <new>
#include <utility>

namespace sotto {

Secret::Secret(std::size_t size) : size_(size) {
  // Guarded allocation rests on the page size, which sodium_init() looks up.
  if (sodium_init() < 0) throw std::bad_alloc();
  if (size == 0) return;
  bytes_.reset(static_cast<std::uint8_t*>(sodium_malloc(size)));
  if (!bytes_) throw std::bad_alloc();
  sodium_memzero(bytes_.get(), size);
}

Secret Secret::copy_of(ByteView bytes) {
  Secret secret(bytes.size());
  std::copy(bytes.begin(), bytes.end(), secret.bytes_.get());
  return secret;
}

Secret Secret::random(std::size_t size) {
  Secret secret(size);
  randombytes_buf(secret.bytes_.get(), size);
  return secret;
}

Secret::Secret(Secret&& other) noexcept
    : bytes_(std::move(other.bytes_)), size_(std::exchange(other.size_, 0)) {}

Secret& Secret::operator=(Secret&& other) noexcept {
  bytes_ = std::move(other.bytes_);
  size_ = std::exchange(other.size_, 0);
  return *this;
}

void Secret::wipe() {
  bytes_.reset();
  size_ = 0;
}

// sodium_free() overwrites what it frees.
void Secret::Free::operator()(std::uint8_t* bytes) const { sodium_free(bytes); }

void wipe(std::span<std::uint8_t> bytes) { sodium_memzero(bytes.data(), bytes.size()); }

}  // namespace sotto
