// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Deterministic CBOR (RFC 8949, 4.2.1), as far as our types need it: unsigned numbers, byte and
// text strings, arrays, maps and the two truth values, each in its shortest form, nothing of
// indefinite length. Whoever reads takes no other form, so what was signed has one way to be
// written.
#pragma once

#include "core/base/bytes.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace sotto::cbor {

enum class Major : std::uint8_t { kUnsigned = 0, kBytes = 2, kText = 3, kArray = 4, kMap = 5 };

/// What an item begins with: its type, and a value, length or count. 1 to 9 bytes.
struct Head {
  std::array<std::uint8_t, 9> bytes{};
  std::size_t size = 0;
  ByteView view() const { return {bytes.data(), size}; }
};
Head head(Major major, std::uint64_t number);

/// Appends items. Counts of arrays and maps, and the order of a map's keys, are the caller's.
/// Not for secrets: its buffer moves when it grows.
class Writer {
 public:
  Writer& number(std::uint64_t value) { return put(head(Major::kUnsigned, value).view()); }
  Writer& bytes(ByteView value) { return put(head(Major::kBytes, value.size()).view()).put(value); }
  Writer& text(std::string_view value) {
    return put(head(Major::kText, value.size()).view()).put(as_bytes(value));
  }
  Writer& array(std::uint64_t items) { return put(head(Major::kArray, items).view()); }
  Writer& map(std::uint64_t pairs) { return put(head(Major::kMap, pairs).view()); }
  Writer& boolean(bool value);
  /// Items that are encoded already.
  Writer& raw(ByteView items) { return put(items); }

  const Bytes& view() const { return out_; }
  Bytes take() { return std::move(out_); }

 private:
  Writer& put(ByteView bytes);
  Bytes out_;
};

/// Takes items one after the other out of bytes that stay the caller's. Each method returns
/// nothing, and moves nothing, when what comes next is something else, ends too early or is not in
/// its shortest form. Lengths and counts are never trusted to be there: check at_end().
class Reader {
 public:
  explicit Reader(ByteView bytes) : bytes_(bytes) {}

  std::optional<std::uint64_t> number() { return take(Major::kUnsigned); }
  std::optional<ByteView> bytes(std::size_t longest) { return string(Major::kBytes, longest); }
  /// UTF-8 is checked.
  std::optional<std::string_view> text(std::size_t longest);
  std::optional<std::uint64_t> array() { return take(Major::kArray); }
  std::optional<std::uint64_t> map() { return take(Major::kMap); }
  std::optional<bool> boolean();
  /// Whether an array of `items` begins here whose first item is `label`; steps behind the label.
  bool labelled(std::uint64_t items, std::string_view label);
  /// Type and number of what comes next, whatever it is; the reader steps behind the head only.
  std::optional<std::uint64_t> take(Major major);
  std::optional<Major> next() const;

  bool at_end() const { return bytes_.empty(); }
  ByteView rest() const { return bytes_; }

 private:
  std::optional<ByteView> string(Major major, std::size_t longest);
  ByteView bytes_;
};

bool is_utf8(ByteView bytes);

}  // namespace sotto::cbor
