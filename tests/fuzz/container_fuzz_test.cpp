// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// Mutated `*.sotto` files: nothing crashes, what is read was there, all before a damage is read.
// SOTTO_FUZZ_RUNS sets how many; the long run has a million.
#include "tests/core/container/support.h"
#include "tests/fuzz/mutator.h"

namespace sotto::container {
namespace {

bool within(const Bytes& file, ByteView part) {
  return part.empty() ||
         std::search(file.begin(), file.end(), part.begin(), part.end()) != file.end();
}

TEST(ContainerFuzz, AnyBytesAreReadWithinTheirBounds) {
  fuzz::Mutator mutator;
  const auto made = make_file(12, 20);
  const auto whole = made.whole();
  for (int run = 0; run < fuzz::runs(); ++run) {
    auto bytes = whole;
    mutator.mutate_some(bytes);
    const auto same = static_cast<std::size_t>(
        std::mismatch(bytes.begin(), bytes.end(), whole.begin(), whole.end()).first -
        bytes.begin());
    MemorySource source(bytes);
    auto reader = Reader::open(source);
    if (!reader) {
      ASSERT_LT(same, made.head_size) << "the head is whole, so it is a file";
      continue;
    }
    ASSERT_LE(reader->tracks().size(), kMaxTracks);
    std::size_t count = 0;
    for (;;) {
      const auto frame = reader->next();
      ASSERT_TRUE(frame);
      if (!*frame) break;
      ASSERT_LT((*frame)->track, reader->tracks().size());
      ASSERT_TRUE(within(bytes, (*frame)->bytes));
      const bool untouched = count + 1 < made.offsets.size() && made.offsets[count + 1] <= same;
      if (untouched) {
        ASSERT_EQ(keep(**frame), made.frames[count]);
      }
      ++count;
    }
    std::size_t before = 0;
    while (before + 1 < made.offsets.size() && made.offsets[before + 1] <= same) ++before;
    ASSERT_GE(count, before) << "nothing before the damage is lost";
    for (const std::uint64_t pts : {std::uint64_t{0}, made.frames.back().pts, ~std::uint64_t{0}}) {
      if (!reader->seek(pts)) continue;
      ASSERT_TRUE(reader->next());
    }
  }
}

TEST(ContainerFuzz, RecordsOfAnyBytes) {
  fuzz::Mutator mutator;
  for (int run = 0; run < fuzz::runs(); ++run) {
    Bytes bytes = run % 2 == 0 ? encode(Track{.codec = e2ee::Codec::kAv1, .label = "x"}, 0)
                               : encode_head({0, 1000, true, 77, Bytes(30, 1)});
    mutator.mutate_some(bytes);
    const auto before = static_cast<std::size_t>(run % 3);  // Tracks.
    const auto parsed = parse_record(bytes, before);
    if (!parsed) continue;
    if (!parsed->record) {
      ASSERT_GT(parsed->size, bytes.size()) << "it asks for more than it has";
      ASSERT_LE(parsed->size, kMaxItem);
    } else if (const auto* track = std::get_if<Track>(&*parsed->record)) {
      ASSERT_EQ(encode(*track, before).size(), parsed->size);
      ASSERT_TRUE(within(bytes, encode(*track, before))) << "one form only";
    } else if (const auto* frame = std::get_if<FrameHead>(&*parsed->record)) {
      ASSERT_LE(frame->bytes_size, kMaxSealed);
      ASSERT_LE(frame->head_size, kMaxFrameHead);
    }
  }
}

}  // namespace
}  // namespace sotto::container
