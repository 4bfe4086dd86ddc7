// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Sealed frames: a clear shim that packetisers can live with, and behind it the SFrame ciphertext
// of the whole encoded frame. Byte by byte in docs/encodings.md, "Sealed frames".
#pragma once

#include "core/e2ee/codec.h"
#include "core/sframe/key_ring.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>

namespace sotto::e2ee {

/// Larger frames are refused, both ways: a 4K keyframe has some two megabytes.
inline constexpr std::size_t kMaxFrameBytes = 32UL << 20U;

/// Where a result goes. A second reserve() takes the place of the first; commit() comes only when
/// the result is good.
class Output {
 public:
  virtual ~Output() = default;
  /// `size` bytes to write to; fewer when they cannot be had, which ends the frame as malformed.
  virtual std::span<std::uint8_t> reserve(std::size_t size) = 0;
  /// How many of them count.
  virtual void commit(std::size_t size) = 0;
};

/// A pause in discontinuous transmission: nothing to seal, and payloaders know it by its size only.
bool is_dtx(Codec codec, ByteView frame);

/// What anybody can tell of a sealed frame: nothing of it is authenticated.
struct Outside {
  std::uint64_t kid = 0;  ///< Of the outer layer.
  bool keyframe = false;  ///< By the shim; true for sound.
};
/// Nothing when it is no sealed frame of this codec. `scratch` is memory to be used again.
std::optional<Outside> look_at(Codec codec, ByteView sealed, Bytes& scratch);

/// Not for two threads at once.
class FrameSealer {
 public:
  /// `inner`, when given, seals the frame first, under a secret of its own.
  explicit FrameSealer(Codec codec, std::optional<sframe::Sealer> outer = {},
                       std::optional<sframe::Sealer> inner = {});

  /// Keys may change between frames, and so may the codec: counters go on.
  void set_outer(std::optional<sframe::Sealer> outer) { outer_ = std::move(outer); }
  void set_inner(std::optional<sframe::Sealer> inner) { inner_ = std::move(inner); }
  void set_codec(Codec codec) { codec_ = codec; }
  /// Whether frames need both layers; on by itself when an inner key was given.
  void set_two_layers(bool wanted) { two_layers_ = wanted; }
  const std::optional<sframe::Sealer>& outer() const { return outer_; }
  const std::optional<sframe::Sealer>& inner() const { return inner_; }
  /// kMalformed: the frame is not one of this codec. kNoKey: a layer's key is missing.
  sframe::Verdict seal(ByteView frame, Output& output);

 private:
  Codec codec_;
  std::optional<sframe::Sealer> outer_;
  std::optional<sframe::Sealer> inner_;
  bool two_layers_;
  Bytes inner_sealed_;  // Kept between frames: nothing is allocated once they are large enough.
  Bytes outer_sealed_;
};

/// Not for two threads at once.
class FrameOpener {
 public:
  /// `inner`, when given, holds the keys of a second layer, which every frame then must have.
  FrameOpener(Codec codec, std::shared_ptr<sframe::KeyStore> outer,
              std::shared_ptr<sframe::KeyStore> inner = {});

  /// Windows against replay stay.
  void set_codec(Codec codec) { codec_ = codec; }
  /// Whether frames must have both layers; only with a store for the inner one.
  void set_two_layers(bool wanted) { two_layers_ = wanted && inner_.has_value(); }

  struct Opened {
    sframe::Verdict verdict = sframe::Verdict::kMalformed;
    std::uint64_t kid = 0;  ///< Of the layer that the verdict is about.
    bool inner = false;     ///< That layer.
    bool keyframe = false;  ///< By the shim; true for sound.
  };
  Opened open(ByteView sealed, Output& output);
  /// The same frame once more after the inner layer's key was missing: the outer one has opened
  /// already and would refuse a repetition. Once.
  Opened open_inner_again(Output& output);

 private:
  void open_inner(Opened& opened, Output& output);
  Codec codec_;
  sframe::OpenerTable outer_;
  std::optional<sframe::OpenerTable> inner_;
  bool two_layers_;
  Bytes body_;
  Bytes inner_sealed_;
  std::size_t inner_size_ = 0;  // Of what is in it.
  Opened waits_;                // For the inner layer's key.
};

/// A KID that was never used: 64 random bits, the first byte of them not zero, so that it is always
/// as wide on the wire.
std::uint64_t random_kid();

}  // namespace sotto::e2ee
