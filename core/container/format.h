// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Records of `*.sotto` files: sealed frames at rest as an append-only sequence of CBOR items
// (docs/encodings.md, "Sealed files"). Nothing here holds or needs a key.
//
//   head, { track | frame }…, index, end
#pragma once

#include "core/base/bytes.h"
#include "core/e2ee/codec.h"
#include "core/e2ee/frame.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace sotto::container {

inline constexpr std::size_t kMaxTracks = 64;
/// What an opener takes: a frame that needs escapes grows when it is sealed.
inline constexpr std::size_t kMaxSealed = e2ee::kMaxFrameBytes + e2ee::kMaxFrameBytes / 2;
inline constexpr std::size_t kMaxLabel = 256;    ///< Bytes of UTF-8.
inline constexpr std::size_t kMaxMapping = 258;  ///< Three numbers and 255 channels.
/// A frame's record without its bytes.
inline constexpr std::size_t kMaxFrameHead = 32;
/// Any other record but the index.
inline constexpr std::size_t kMaxItem = 1024;
inline constexpr std::size_t kEndSize = 23;
inline constexpr std::size_t kMaxIndexBytes = 32UL << 20U;

struct FileHead {
  std::uint64_t begun = 0;  ///< Milliseconds UTC; 0 when unknown.
};

/// Tracks are numbered as they come, from 0. Zero means unknown for all numbers.
struct Track {
  e2ee::Codec codec = e2ee::Codec::kVp8;
  std::uint32_t width = 0;
  std::uint32_t height = 0;
  std::uint32_t rate = 0;
  std::uint32_t channels = 0;
  /// Opus of other families than 0: family, streams, coupled streams, then a byte per channel
  /// (RFC 7845, 5.1.1).
  Bytes mapping;
  std::string label;  ///< For people.
  bool operator==(const Track&) const = default;
};
inline bool is_sound(const Track& track) { return track.codec == e2ee::Codec::kOpus; }

struct Frame {
  std::uint32_t track = 0;
  std::uint64_t pts = 0;  ///< Nanoseconds since the beginning of the file.
  bool key = false;
  std::uint64_t kid = 0;  ///< Of the outer layer.
  ByteView bytes;         ///< The sealed frame, shim and all.
};

/// What stands before a frame's bytes.
struct FrameHead {
  std::uint32_t track = 0;
  std::uint64_t pts = 0;
  bool key = false;
  std::uint64_t kid = 0;
  std::size_t head_size = 0;   ///< Of the record, up to the bytes.
  std::size_t bytes_size = 0;  ///< Of the frame.
  std::size_t size() const { return head_size + bytes_size; }
};

/// The index begins: frames have ended.
struct IndexMark {};

using Record = std::variant<FileHead, Track, FrameHead, IndexMark>;

struct Parsed {
  std::optional<Record> record;
  /// With a record: the bytes it takes (a frame's bytes counted, an index not). Without: as many
  /// have to be there before more can be said.
  std::size_t size = 0;
};
/// What `bytes` begin with. kParse: nothing of ours; kTooLarge: beyond a limit; kUnsupported: of a
/// codec or version we do not know.
Result<Parsed> parse_record(ByteView bytes, std::size_t tracks_so_far);

Bytes encode(const FileHead& head);
Bytes encode(const Track& track, std::size_t number);
/// All but the frame's bytes.
Bytes encode_head(const Frame& frame);
Bytes encode_end(std::uint64_t index_offset);
/// Where the index begins, when `bytes` are an end.
std::optional<std::uint64_t> parse_end(ByteView bytes);

std::optional<e2ee::Codec> codec_named(std::string_view name);

}  // namespace sotto::container
