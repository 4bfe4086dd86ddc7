// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// The shared example, and files with many frames, for tests of `*.sotto`.
#pragma once

#include "core/base/random.h"
#include "core/container/reader.h"
#include "core/container/writer.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

namespace sotto::container {

struct Kept {
  std::uint32_t track = 0;
  std::uint64_t pts = 0;
  bool key = false;
  std::uint64_t kid = 0;
  Bytes bytes;
  bool operator==(const Kept&) const = default;
};

inline Kept keep(const Frame& frame) {
  return {frame.track, frame.pts, frame.key, frame.kid, {frame.bytes.begin(), frame.bytes.end()}};
}

inline nlohmann::json example() {
  const char* root = std::getenv("SOTTO_SOURCE_ROOT");
  std::ifstream file(std::string(root == nullptr ? "." : root) + "/tests/vectors/container.json");
  return nlohmann::json::parse(file, nullptr, false);
}

/// All frames from where the reader stands.
inline std::vector<Kept> rest_of(Reader& reader) {
  std::vector<Kept> out;
  for (;;) {
    const auto frame = reader.next();
    EXPECT_TRUE(frame);
    if (!frame || !*frame) return out;
    out.push_back(keep(**frame));
  }
}

/// A picture track with a keyframe every ten frames and a sound track, 25 frames each per second.
struct Made {
  std::size_t head_size = 0;
  Bytes bytes;  // Without index and end.
  Bytes end;    // Those.
  std::vector<Kept> frames;
  std::vector<std::uint64_t> offsets;  // Of the frames.
  Index index;
  Bytes whole() const {
    auto out = bytes;
    out.insert(out.end(), end.begin(), end.end());
    return out;
  }
};

inline Made make_file(int count, std::size_t size = 100) {
  Made out;
  Writer writer;
  const auto put = [&](const Bytes& bytes) {
    out.bytes.insert(out.bytes.end(), bytes.begin(), bytes.end());
  };
  put(writer.begin({42}));
  out.head_size = out.bytes.size();
  put(writer.add({.codec = e2ee::Codec::kVp8, .width = 16, .height = 8})->bytes);
  put(writer.add({.codec = e2ee::Codec::kOpus, .rate = 48000, .channels = 1})->bytes);
  for (int i = 0; i < count; ++i) {
    const bool sound = i % 2 == 1;
    const Kept frame{sound ? 1U : 0U, static_cast<std::uint64_t>(i / 2) * 40'000'000,
                     sound || i % 20 == 0, 7, random_bytes(size + random_u32() % 10)};
    out.offsets.push_back(writer.size());
    put(*writer.append({frame.track, frame.pts, frame.key, frame.kid, frame.bytes}));
    put(frame.bytes);
    out.frames.push_back(frame);
  }
  out.end = writer.finish();
  out.index = writer.index();
  return out;
}

}  // namespace sotto::container
