// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Writes CBOR that has secrets in it: into memory that never moves and is wiped.
#pragma once

#include "core/base/cbor.h"
#include "core/base/secret.h"

#include <algorithm>
#include <cassert>

namespace sotto::keys {

class SecretWriter {
 public:
  /// What is written must fit.
  explicit SecretWriter(std::size_t capacity) : bytes_(capacity) {}

  SecretWriter& number(std::uint64_t value) {
    return put(cbor::head(cbor::Major::kUnsigned, value).view());
  }
  SecretWriter& bytes(ByteView value) {
    return put(cbor::head(cbor::Major::kBytes, value.size()).view()).put(value);
  }
  SecretWriter& text(std::string_view value) {
    return put(cbor::head(cbor::Major::kText, value.size()).view()).put(as_bytes(value));
  }
  SecretWriter& array(std::uint64_t items) {
    return put(cbor::head(cbor::Major::kArray, items).view());
  }
  Secret take() const { return Secret::copy_of(bytes_.view().first(size_)); }

 private:
  SecretWriter& put(ByteView part) {
    assert(part.size() <= bytes_.size() - size_);
    std::copy(part.begin(), part.end(), bytes_.span().begin() + static_cast<std::ptrdiff_t>(size_));
    size_ += part.size();
    return *this;
  }
  Secret bytes_;
  std::size_t size_ = 0;
};

}  // namespace sotto::keys
