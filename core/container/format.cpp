// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/container/format.h"

#include "core/base/cbor.h"
#include "core/container/labels.h"

#include <algorithm>
#include <limits>

namespace sotto::container {
namespace {

constexpr std::size_t kMaxName = 16;        // Of a codec.
constexpr std::size_t kMaxRecordName = 32;  // Of a record.
constexpr std::size_t kOffsetSize = 8;

tl::unexpected<Error> broken(const char* what) { return fail(ErrorCode::kParse, what); }

std::optional<std::uint32_t> small(cbor::Reader& reader) {
  const auto number = reader.number();
  if (!number || *number > std::numeric_limits<std::uint32_t>::max()) return std::nullopt;
  return static_cast<std::uint32_t>(*number);
}

Result<Parsed> parse_track(ByteView bytes, std::size_t tracks_so_far) {
  cbor::Reader reader(bytes);
  if (!reader.labelled(9, kTrackLabel)) return broken("not a track");
  const auto number = reader.number();
  const auto codec = reader.text(kMaxName);
  Track track;
  for (auto* each : {&track.width, &track.height, &track.rate, &track.channels}) {
    const auto value = small(reader);
    if (!value) return broken("a track's numbers are broken");
    *each = *value;
  }
  const auto mapping = reader.bytes(kMaxMapping);
  const auto label = reader.text(kMaxLabel);
  if (!number || !codec || !mapping || !label) return broken("a track is broken");
  const auto known = codec_named(*codec);
  if (!known) return fail(ErrorCode::kUnsupported, "a track of an unknown codec");
  if (*number != tracks_so_far) return broken("tracks are not numbered in order");
  if (tracks_so_far >= kMaxTracks) return fail(ErrorCode::kTooLarge, "too many tracks");
  track.codec = *known;
  track.mapping.assign(mapping->begin(), mapping->end());
  track.label = *label;
  return Parsed{std::move(track), bytes.size() - reader.rest().size()};
}

/// An array of five that begins with a number.
Result<Parsed> parse_frame(ByteView bytes, std::size_t tracks_so_far) {
  cbor::Reader reader(bytes);
  (void)reader.array();
  const auto track = reader.number();
  const auto pts = reader.number();
  const auto key = reader.boolean();
  const auto kid = reader.number();
  const auto size = reader.take(cbor::Major::kBytes);
  if (!track || !pts || !key || !kid || !size) {
    if (bytes.size() < kMaxFrameHead) return Parsed{{}, kMaxFrameHead};
    return broken("a frame is broken");
  }
  if (*track >= tracks_so_far) return broken("a frame of a track that was not announced");
  if (*size > kMaxSealed) return fail(ErrorCode::kTooLarge, "a frame is too large");
  if (*pts > kMaxPts) return fail(ErrorCode::kTooLarge, "a frame's time is out of range");
  const FrameHead head{
      static_cast<std::uint32_t>(*track), *pts, *key, *kid, bytes.size() - reader.rest().size(),
      static_cast<std::size_t>(*size)};
  return Parsed{head, head.size()};
}

}  // namespace

std::optional<e2ee::Codec> codec_named(std::string_view name) {
  using e2ee::Codec;
  for (const auto codec :
       {Codec::kVp8, Codec::kVp9, Codec::kH264, Codec::kH265, Codec::kAv1, Codec::kOpus}) {
    if (e2ee::name_of(codec) == name) return codec;
  }
  return std::nullopt;
}

Result<Parsed> parse_record(ByteView bytes, std::size_t tracks_so_far) {
  cbor::Reader reader(bytes);
  if (bytes.size() < 2) return Parsed{{}, 2};
  const auto items = reader.array();
  const auto first = reader.next();
  if (items == 5U && first == cbor::Major::kUnsigned) return parse_frame(bytes, tracks_so_far);
  if (!items || first != cbor::Major::kText) return broken("not a record of a sealed file");
  const auto label = reader.text(kMaxRecordName);
  const bool short_of_bytes = bytes.size() < kMaxItem;
  if (!label) {
    if (short_of_bytes) return Parsed{{}, kMaxItem};
    return broken("not a record of a sealed file");
  }
  if (*label == kTrackLabel) {
    auto track = parse_track(bytes, tracks_so_far);
    if (!track && track.error().code == ErrorCode::kParse && short_of_bytes) {
      return Parsed{{}, kMaxItem};
    }
    return track;
  }
  if (*label == kHeadLabel) {
    const auto begun = reader.number();
    if (items == 2U && begun) {
      return Parsed{FileHead{*begun}, bytes.size() - reader.rest().size()};
    }
    if (items == 2U && short_of_bytes) return Parsed{{}, kMaxItem};
    return broken("the head of the file is broken");
  }
  if (*label == kIndexLabel && items == 4U) return Parsed{IndexMark{}, 0};
  return fail(ErrorCode::kUnsupported, "a record of an unknown kind or version");
}

Bytes encode(const FileHead& head) {
  return cbor::Writer().array(2).text(kHeadLabel).number(head.begun).take();
}

Bytes encode(const Track& track, std::size_t number) {
  return cbor::Writer()
      .array(9)
      .text(kTrackLabel)
      .number(number)
      .text(e2ee::name_of(track.codec))
      .number(track.width)
      .number(track.height)
      .number(track.rate)
      .number(track.channels)
      .bytes(track.mapping)
      .text(track.label)
      .take();
}

Bytes encode_head(const Frame& frame) {
  return cbor::Writer()
      .array(5)
      .number(frame.track)
      .number(frame.pts)
      .boolean(frame.key)
      .number(frame.kid)
      .raw(cbor::head(cbor::Major::kBytes, frame.bytes.size()).view())
      .take();
}

Bytes encode_end(std::uint64_t index_offset) {
  Bytes offset(kOffsetSize);
  for (std::size_t i = 0; i < kOffsetSize; ++i) {
    offset[i] = static_cast<std::uint8_t>(index_offset >> (8 * (kOffsetSize - 1 - i)));
  }
  return cbor::Writer().array(2).text(kEndLabel).bytes(offset).take();
}

std::optional<std::uint64_t> parse_end(ByteView bytes) {
  cbor::Reader reader(bytes);
  if (!reader.labelled(2, kEndLabel)) return std::nullopt;
  const auto offset = reader.bytes(kOffsetSize);
  if (!offset || offset->size() != kOffsetSize || !reader.at_end()) return std::nullopt;
  std::uint64_t value = 0;
  for (const auto byte : *offset) value = (value << 8U) | byte;
  return value;
}

}  // namespace sotto::container
