// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// Sealers and openers over plain vectors, and frames of each codec that packetisers accept.
#pragma once

#include "core/base/random.h"
#include "core/e2ee/frame.h"

#include <vector>

namespace sotto::e2ee {

/// A result in a vector.
class Buffer : public Output {
 public:
  std::span<std::uint8_t> reserve(std::size_t size) override {
    bytes.assign(size, 0xEE);
    return bytes;
  }
  void commit(std::size_t size) override {
    bytes.resize(size);
    committed = true;
  }
  Bytes bytes;
  bool committed = false;
};

inline constexpr Codec kCodecs[] = {Codec::kVp8,  Codec::kVp9, Codec::kH264,
                                    Codec::kH265, Codec::kAv1, Codec::kOpus};

inline Bytes join(std::initializer_list<Bytes> parts) {
  Bytes out;
  for (const auto& part : parts) out.insert(out.end(), part.begin(), part.end());
  return out;
}

/// A frame with random content behind what the codec's beginning looks like.
inline Bytes frame_of(Codec codec, bool key, std::size_t size) {
  const auto body = random_bytes(size);
  switch (codec) {
    case Codec::kVp8:
      return join(
          {key ? Bytes{0x10, 2, 0, 0x9D, 1, 0x2A, 0x40, 1, 0xF0, 0} : Bytes{0x31, 1, 0}, body});
    case Codec::kVp9:
      return join(
          {key ? Bytes{0x82, 0x49, 0x83, 0x42, 0, 0x13, 0xF0, 0x0E, 0xF6, 0} : Bytes{0x86}, body});
    case Codec::kH264:
      return key ? join({{0, 0, 0, 1, 9, 0x10},
                         {0, 0, 0, 1, 0x67, 0x42, 0xE0, 0x1F},
                         {0, 0, 1, 0x68, 0xCE, 0x3C, 0x80},
                         {0, 0, 1, 0x65, 0x88},
                         body})
                 : join({{0, 0, 0, 1, 0x41, 0x9A}, body});
    case Codec::kH265:
      return key ? join({{0, 0, 0, 1, 0x40, 1, 0x0C},
                         {0, 0, 0, 1, 0x42, 1, 1},
                         {0, 0, 1, 0x44, 1, 0xC0},
                         {0, 0, 1, 0x28, 1, 0xAF},
                         body})
                 : join({{0, 0, 0, 1, 2, 1, 0xD0}, body});
    case Codec::kAv1:
      return key ? join({{0x12, 0, 0x0A, 2, 1, 2}, {0x30, 0x10}, body})
                 : join({{0x12, 0, 0x30, 0x10}, body});
    case Codec::kOpus: return join({{0xF8, 0xFF, 0xFE}, body});
  }
  return {};
}

/// Both ends of one stream.
struct Pair {
  explicit Pair(Codec codec, bool two_layers = false)
      : outer_key(random_bytes(32)), inner_key(random_bytes(32)) {
    auto sealer = *sframe::Sealer::make(sframe::kDefaultSuite, kid, outer_key);
    std::optional<sframe::Sealer> inner;
    (void)outer->add(sframe::kDefaultSuite, 0, sframe::kAnyKid, outer_key);
    if (two_layers) {
      inner = *sframe::Sealer::make(sframe::Suite::kChaCha20Poly1305Sha512, inner_kid, inner_key);
      (void)inner_store->add(sframe::Suite::kChaCha20Poly1305Sha512, 0, sframe::kAnyKid, inner_key);
    }
    sealing.emplace(codec, std::move(sealer), std::move(inner));
    opening.emplace(codec, outer, two_layers ? inner_store : nullptr);
  }
  Bytes seal(ByteView frame) {
    Buffer out;
    last = sealing->seal(frame, out);
    return out.committed ? out.bytes : Bytes{};
  }
  FrameOpener::Opened open(ByteView sealed) {
    Buffer out;
    const auto result = opening->open(sealed, out);
    opened = out.committed ? out.bytes : Bytes{};
    return result;
  }

  std::uint64_t kid = random_kid();
  std::uint64_t inner_kid = random_kid();
  Bytes outer_key, inner_key;
  std::shared_ptr<sframe::KeyStore> outer = std::make_shared<sframe::KeyStore>();
  std::shared_ptr<sframe::KeyStore> inner_store = std::make_shared<sframe::KeyStore>();
  std::optional<FrameSealer> sealing;
  std::optional<FrameOpener> opening;
  sframe::Verdict last{};
  Bytes opened;
};

}  // namespace sotto::e2ee
