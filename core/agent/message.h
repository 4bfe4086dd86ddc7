// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What an element and its key agent say to each other over a Unix socket (docs/encodings.md, "Key
// agent"): one CBOR array per frame, its length in four bytes in front.
#pragma once

#include "core/base/secret.h"
#include "core/sframe/suite.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <variant>

namespace sotto::agent {

inline constexpr std::size_t kLengthSize = 4;
inline constexpr std::size_t kMaxMessage = 256;  ///< Bytes behind the length.

enum class Role : std::uint8_t { kSeal, kOpen };
enum class Layer : std::uint8_t { kInner = 1, kOuter = 2 };

// From an element.
struct Hello {
  Role role = Role::kOpen;
};
struct Need {  ///< Frames came under a KID whose key is not here.
  Layer layer = Layer::kOuter;
  std::uint64_t kid = 0;
};
struct Spent {  ///< As many frames were sealed as the key may seal.
  Layer layer = Layer::kOuter;
  std::uint64_t kid = 0;
};
// From whoever commands the agent.
struct Rotate {};

// From the agent.
struct SealWith {  ///< The next frame is sealed under it. The inner layer's comes first.
  Layer layer = Layer::kOuter;
  sframe::Suite suite = sframe::kDefaultSuite;
  std::uint64_t kid = 0;
  Secret key;
  std::uint64_t frames = 0;  ///< After so many the element says Spent.
};
struct OpenWith {
  Layer layer = Layer::kOuter;
  sframe::Suite suite = sframe::kDefaultSuite;
  std::uint64_t kid = 0;
  Secret key;
};
struct Drop {  ///< Forget the keys of all KIDs with (KID & mask) == kid.
  Layer layer = Layer::kOuter;
  std::uint64_t kid = 0;
  std::uint64_t mask = 0;
};
struct None {  ///< The answer to Need when there is no such key.
  Layer layer = Layer::kOuter;
  std::uint64_t kid = 0;
};
struct Done {};  ///< The answer to Rotate.

using Message = std::variant<Hello, Need, Spent, Rotate, SealWith, OpenWith, Drop, None, Done>;

/// With the length in front.
Secret encode(const Message& message);
/// Without it. Takes the one deterministic encoding and nothing behind it.
Result<Message> parse(ByteView bytes);

/// Bytes as they come from a socket, in memory that is wiped.
class Inbox {
 public:
  /// Where to read to; never empty after next() gave nothing.
  std::span<std::uint8_t> room() { return bytes_.span().subspan(size_); }
  void received(std::size_t size) { size_ += size; }
  /// The next message, or nothing when more bytes are needed. After an error the peer is not to be
  /// listened to any more.
  Result<std::optional<Message>> next();

 private:
  Secret bytes_{kLengthSize + kMaxMessage};
  std::size_t size_ = 0;
};

}  // namespace sotto::agent
