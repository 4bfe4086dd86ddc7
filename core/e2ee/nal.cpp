// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/e2ee/nal.h"

#include <cstring>

namespace sotto::e2ee {
namespace {

/// Where two zero bytes stand with a third byte behind them, at or after `from`; else the size.
std::size_t find_zeros(ByteView bytes, std::size_t from) {
  while (from + 2 < bytes.size()) {
    const auto* zero = static_cast<const std::uint8_t*>(
        std::memchr(bytes.data() + from, 0, bytes.size() - 2 - from));
    if (zero == nullptr) break;
    from = static_cast<std::size_t>(zero - bytes.data());
    if (bytes[from + 1] == 0) return from;
    from += 2;
  }
  return bytes.size();
}

/// Where 00 00 01 begins.
std::size_t find_start_code(ByteView bytes, std::size_t from) {
  for (;;) {
    from = find_zeros(bytes, from);
    if (from == bytes.size() || bytes[from + 2] == 1) return from;
    ++from;
  }
}

/// Where 00 00 is followed by a byte of 03 or less.
std::size_t find_emulation(ByteView bytes, std::size_t from) {
  for (;;) {
    from = find_zeros(bytes, from);
    if (from == bytes.size() || bytes[from + 2] <= 3) return from;
    from += 3;
  }
}

std::uint8_t* copy(ByteView bytes, std::uint8_t* out) {
  if (!bytes.empty()) std::memcpy(out, bytes.data(), bytes.size());
  return out + bytes.size();
}

}  // namespace

NalReader::NalReader(ByteView bytes) : bytes_(bytes) {
  const auto first = find_start_code(bytes, 0);
  // Only zeros may stand before the first start code.
  for (std::size_t i = 0; i < first; ++i) {
    if (bytes[i] != 0) {
      at_ = bytes.size();
      return;
    }
  }
  at_ = first == bytes.size() ? first : first + 3;
}

std::optional<ByteView> NalReader::next() {
  while (at_ < bytes_.size()) {
    const auto end = find_start_code(bytes_, at_);
    auto size = end - at_;
    while (size > 0 && bytes_[at_ + size - 1] == 0) --size;
    const auto unit = bytes_.subspan(at_, size);
    at_ = end == bytes_.size() ? end : end + 3;
    if (!unit.empty()) return unit;
  }
  return std::nullopt;
}

std::size_t count_escapes(ByteView bytes) {
  std::size_t count = 0;
  for (auto at = find_emulation(bytes, 0); at != bytes.size(); at = find_emulation(bytes, at + 2)) {
    ++count;
  }
  return count;
}

void escape(ByteView bytes, std::uint8_t* out) {
  std::size_t done = 0;
  for (auto at = find_emulation(bytes, 0); at != bytes.size(); at = find_emulation(bytes, done)) {
    out = copy(bytes.subspan(done, at + 2 - done), out);
    *out++ = 3;
    done = at + 2;
  }
  copy(bytes.subspan(done), out);
}

Escapes find_escapes(ByteView bytes) {
  Escapes found;
  for (auto at = find_emulation(bytes, 0); at != bytes.size(); at = find_emulation(bytes, at + 2)) {
    if (found.count == Escapes::kMax) {
      found.few = false;
      break;
    }
    found.at[found.count++] = at + 2;
  }
  return found;
}

void escape_in_place(std::uint8_t* bytes, std::size_t size, const Escapes& found) {
  // From the end, each piece to where it belongs: behind as many more bytes as stand before it.
  auto end = size;
  for (auto i = found.count; i > 0; --i) {
    const auto begin = found.at[i - 1];
    std::memmove(bytes + begin + i, bytes + begin, end - begin);
    bytes[begin + i - 1] = 3;
    end = begin;
  }
}

bool has_emulation(ByteView bytes) { return find_emulation(bytes, 0) != bytes.size(); }

std::optional<std::size_t> unescape(ByteView bytes, std::uint8_t* out) {
  const auto* begin = out;
  std::size_t done = 0;
  for (auto at = find_emulation(bytes, 0); at != bytes.size(); at = find_emulation(bytes, done)) {
    if (bytes[at + 2] != 3) return std::nullopt;
    out = copy(bytes.subspan(done, at + 2 - done), out);
    done = at + 3;
  }
  out = copy(bytes.subspan(done), out);
  return static_cast<std::size_t>(out - begin);
}

}  // namespace sotto::e2ee
