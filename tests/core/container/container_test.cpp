// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tests/core/container/support.h"

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <map>

namespace sotto::container {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;

Bytes example_file() { return *from_hex(example()["file"].get<std::string>()); }

TEST(SharedExample, IsWrittenToTheByte) {
  const auto wanted = example();
  ASSERT_FALSE(wanted.is_discarded());
  Writer writer;
  Bytes out = writer.begin({wanted["begun"].get<std::uint64_t>()});
  const auto put = [&](const Bytes& bytes) { out.insert(out.end(), bytes.begin(), bytes.end()); };
  for (const auto& track : wanted["tracks"]) {
    const auto added = writer.add({*codec_named(track["codec"].get<std::string>()), track["width"],
                                   track["height"], track["rate"], track["channels"],
                                   *from_hex(track["mapping"].get<std::string>()), track["label"]});
    ASSERT_TRUE(added);
    put(added->bytes);
  }
  for (const auto& frame : wanted["frames"]) {
    const auto bytes = *from_hex(frame["bytes"].get<std::string>());
    EXPECT_EQ(writer.size(), frame["offset"].get<std::uint64_t>());
    const auto head = writer.append({frame["track"], frame["pts"], frame["key"],
                                     std::stoull(wanted["kid"].get<std::string>()), bytes});
    ASSERT_TRUE(head);
    put(*head);
    put(bytes);
  }
  put(writer.finish());
  EXPECT_EQ(to_hex(out), wanted["file"].get<std::string>());
}

TEST(SharedExample, IsReadByItsIndexAndWithout) {
  const auto wanted = example();
  const auto whole = example_file();
  const auto index_at = wanted["index"]["offset"].get<std::size_t>();
  for (const bool without : {false, true}) {
    MemorySource source(without ? ByteView(whole).first(index_at) : ByteView(whole));
    auto reader = Reader::open(source);
    ASSERT_TRUE(reader) << reader.error().message;
    EXPECT_EQ(reader->rebuilt(), without);
    EXPECT_EQ(reader->damage().has_value(), without);
    EXPECT_EQ(reader->head().begun, wanted["begun"].get<std::uint64_t>());
    ASSERT_EQ(reader->tracks().size(), wanted["tracks"].size());
    EXPECT_EQ(reader->tracks()[0].label, "garden");
    EXPECT_EQ(reader->tracks()[0].width, 320U);
    EXPECT_EQ(reader->tracks()[1].codec, e2ee::Codec::kOpus);
    EXPECT_EQ(reader->tracks()[1].channels, 2U);
    EXPECT_EQ(reader->index().frames(), 7U);
    EXPECT_EQ(reader->index().last(), wanted["index"]["last"].get<std::uint64_t>());
    for (std::size_t i = 0; i < 2; ++i) {
      const auto& track = wanted["index"]["tracks"][i];
      EXPECT_EQ(reader->index().track_offset(i), track["offset"].get<std::uint64_t>());
      ASSERT_EQ(reader->index().entries(i).size(), track["entries"].size());
      for (std::size_t n = 0; n < track["entries"].size(); ++n) {
        EXPECT_EQ(reader->index().entries(i)[n].pts, track["entries"][n][0]);
        EXPECT_EQ(reader->index().entries(i)[n].offset, track["entries"][n][1]);
      }
    }
    const auto frames = rest_of(*reader);
    ASSERT_EQ(frames.size(), wanted["frames"].size());
    for (std::size_t i = 0; i < frames.size(); ++i) {
      const auto& frame = wanted["frames"][i];
      EXPECT_EQ(frames[i].track, frame["track"]);
      EXPECT_EQ(frames[i].pts, frame["pts"]);
      EXPECT_EQ(frames[i].key, frame["key"]);
      EXPECT_EQ(std::to_string(frames[i].kid), wanted["kid"]);
      EXPECT_EQ(to_hex(frames[i].bytes), frame["bytes"]);
    }
  }
}

TEST(Damage, CutAnywhereNothingBeforeTheCutIsLost) {
  const auto made = make_file(30);
  for (std::size_t size = 0; size < made.bytes.size(); ++size) {
    MemorySource source(ByteView(made.bytes).first(size));
    auto reader = Reader::open(source);
    if (size < made.head_size) {  // Within the head: nothing of a file is there.
      ASSERT_FALSE(reader) << size;
      EXPECT_EQ(reader.error().code, ErrorCode::kParse);
      continue;
    }
    ASSERT_TRUE(reader) << size;
    EXPECT_TRUE(reader->rebuilt());
    EXPECT_TRUE(reader->damage()) << size;
    std::size_t whole = 0;
    while (whole + 1 < made.offsets.size() && made.offsets[whole + 1] <= size) ++whole;
    const auto frames = rest_of(*reader);
    ASSERT_EQ(frames.size(), whole) << size;
    EXPECT_TRUE(std::equal(frames.begin(), frames.end(), made.frames.begin()));
  }
}

TEST(Damage, AHalfWrittenIndexIsMadeAnew) {
  const auto made = make_file(200);
  const auto whole = made.whole();
  for (std::size_t size = made.bytes.size(); size < whole.size(); ++size) {
    MemorySource source(ByteView(whole).first(size));
    auto reader = Reader::open(source);
    ASSERT_TRUE(reader);
    EXPECT_TRUE(reader->rebuilt());
    EXPECT_EQ(reader->index(), made.index) << "as it was written";
    EXPECT_EQ(rest_of(*reader), made.frames);
  }
  MemorySource source(whole);
  auto reader = Reader::open(source);
  ASSERT_TRUE(reader);
  EXPECT_FALSE(reader->rebuilt());
  EXPECT_FALSE(reader->damage());
  EXPECT_EQ(reader->index(), made.index);
}

TEST(Damage, GarbageAmidLosesNothingBeforeItAndTheIndexLeadsOnBehindIt) {
  const auto made = make_file(200);
  auto whole = made.whole();
  const std::size_t hit = 90;
  for (std::size_t i = 0; i < 40; ++i) whole[made.offsets[hit] + i] = 0xFF;
  MemorySource source(whole);
  auto reader = Reader::open(source);
  ASSERT_TRUE(reader);
  EXPECT_FALSE(reader->damage()) << "not met yet";
  EXPECT_EQ(rest_of(*reader).size(), hit);
  ASSERT_TRUE(reader->damage());
  EXPECT_EQ(reader->damage()->code, ErrorCode::kParse);
  ASSERT_TRUE(reader->seek(made.frames[160].pts));
  const auto behind = rest_of(*reader);
  ASSERT_FALSE(behind.empty());
  EXPECT_EQ(behind.back(), made.frames.back());
}

TEST(Damage, GarbageWithoutIndexStopsThere) {
  const auto made = make_file(200);
  auto bytes = made.bytes;
  bytes[made.offsets[90]] = 0x00;
  MemorySource source(bytes);
  auto reader = Reader::open(source);
  ASSERT_TRUE(reader);
  EXPECT_TRUE(reader->damage());
  EXPECT_EQ(rest_of(*reader).size(), 90U);
}

TEST(Damage, WhatIsNoFileOfOursIsRefused) {
  for (const char* text : {"", "1a45dfa3", "826d736f74746f2f66696c652f763200", "00"}) {
    const auto bytes = *from_hex(text);
    MemorySource source(bytes);
    EXPECT_FALSE(Reader::open(source)) << text;
  }
  EXPECT_EQ(FileSource::open("/nonexistent/x.sotto").error().code, ErrorCode::kNotFound);
  EXPECT_EQ(FileSource::open("/").error().code, ErrorCode::kInvalid);
}

TEST(Damage, AnIndexThatLiesIsNotBelieved) {
  const auto made = make_file(200);
  // One that points where no keyframe of the track is.
  Writer other;
  (void)other.begin({42});
  (void)other.add({.codec = e2ee::Codec::kVp8, .width = 16, .height = 8});
  (void)other.add({.codec = e2ee::Codec::kOpus, .rate = 48000, .channels = 1});
  const Bytes wrong_size(77, 1);
  for (const auto& frame : made.frames) {
    (void)other.append({frame.track, frame.pts, frame.key, frame.kid, wrong_size});
  }
  auto lying = made.bytes;
  const auto index = other.index().encode();
  lying.insert(lying.end(), index.begin(), index.end());
  const auto end = encode_end(made.bytes.size());
  lying.insert(lying.end(), end.begin(), end.end());
  MemorySource source(lying);
  auto reader = Reader::open(source);
  ASSERT_TRUE(reader);
  EXPECT_FALSE(reader->rebuilt());
  ASSERT_TRUE(reader->seek(2 * kSecond));
  EXPECT_TRUE(reader->rebuilt());
  EXPECT_EQ(reader->index(), made.index);
  const auto frame = reader->next();
  ASSERT_TRUE(frame && *frame);
  EXPECT_EQ((*frame)->pts, 2 * kSecond);
}

TEST(Seeking, BeginsEachPictureTrackWithItsKeyframe) {
  const auto made = make_file(400);
  const auto whole = made.whole();
  MemorySource source(whole);
  auto reader = Reader::open(source);
  ASSERT_TRUE(reader);
  for (const std::uint64_t pts :
       {0UL, 1UL, 3 * kSecond, 3 * kSecond + 250'000'000, 100 * kSecond}) {
    ASSERT_TRUE(reader->seek(pts));
    const auto frames = rest_of(*reader);
    const auto picture =
        std::find_if(frames.begin(), frames.end(), [](const Kept& f) { return f.track == 0; });
    ASSERT_NE(picture, frames.end()) << pts;
    EXPECT_TRUE(picture->key);
    EXPECT_LE(picture->pts, pts);
    if (pts < 8 * kSecond) {
      EXPECT_LT(pts - picture->pts, 400'000'000U) << "the nearest one";
    }
    const auto sound =
        std::find_if(frames.begin(), frames.end(), [](const Kept& f) { return f.track == 1; });
    ASSERT_NE(sound, frames.end());
    EXPECT_LE(sound->pts, pts);
    EXPECT_EQ(frames.back(), made.frames.back());
  }
}

TEST(Seeking, ATrackThatBeganLateIsKnownAndReachedFromTheIndex) {
  Writer writer;
  Bytes bytes = writer.begin();
  const auto put = [&](const Bytes& more) { bytes.insert(bytes.end(), more.begin(), more.end()); };
  const Bytes frame(20, 1);
  const auto append = [&](std::uint32_t track, std::uint64_t pts, bool key) {
    put(*writer.append({track, pts, key, 1, frame}));
    put(frame);
  };
  put(writer.add({.codec = e2ee::Codec::kOpus})->bytes);
  for (std::uint64_t i = 0; i < 100; ++i) append(0, i * 100'000'000, true);
  put(writer.add({.codec = e2ee::Codec::kH264})->bytes);
  append(1, 10 * kSecond, true);
  append(1, 11 * kSecond, false);
  append(1, 12 * kSecond, true);
  put(writer.finish());
  MemorySource source(bytes);
  auto reader = Reader::open(source);
  ASSERT_TRUE(reader);
  EXPECT_FALSE(reader->rebuilt());
  EXPECT_EQ(reader->tracks().size(), 2U);
  EXPECT_EQ(rest_of(*reader).size(), 103U);
  ASSERT_TRUE(reader->seek(12 * kSecond));
  const auto frames = rest_of(*reader);
  ASSERT_GE(frames.size(), 2U);
  EXPECT_EQ(frames.back().pts, 12 * kSecond);
  const auto first_picture =
      std::find_if(frames.begin(), frames.end(), [](const Kept& f) { return f.track == 1; });
  EXPECT_TRUE(first_picture->key);
  ASSERT_TRUE(reader->seek(0));
  EXPECT_EQ(rest_of(*reader).size(), 103U);
}

TEST(TheIndex, StaysWithinItsBoundAndKeepsTheEnds) {
  Index index;
  index.add_track(false, 20);
  constexpr std::uint64_t kFrames = 10 * Index::kMaxEntries;
  for (std::uint64_t i = 0; i < kFrames; ++i) {
    index.add_frame({0, i * kSecond, true, 1, 10, 10}, 100 + i * 20);
    ASSERT_LE(index.entries(0).size(), Index::kMaxEntries);
  }
  EXPECT_EQ(index.frames(), kFrames);
  EXPECT_GT(index.entries(0).size(), Index::kMaxEntries / 4);
  EXPECT_EQ(index.entries(0).front().pts, 0U);
  EXPECT_LT((kFrames - 1) * kSecond - index.entries(0).back().pts, 64 * kSecond);
  const auto bytes = index.encode();
  EXPECT_LE(bytes.size() * kMaxTracks, kMaxIndexBytes);
  const auto back = Index::parse(bytes, 100 + kFrames * 20);
  ASSERT_TRUE(back);
  EXPECT_EQ(*back, index);
}

TEST(TheIndex, IsRefusedWhenItsOffsetsMakeNoSense) {
  const auto made = make_file(100);
  const auto good = made.index.encode();
  ASSERT_TRUE(Index::parse(good, made.bytes.size()));
  EXPECT_FALSE(Index::parse(good, made.offsets.back() / 2)) << "beyond the records";
  for (std::size_t size = 0; size < good.size(); ++size) {
    EXPECT_FALSE(Index::parse(ByteView(good).first(size), made.bytes.size()));
  }
  auto more = good;
  more.push_back(0);
  EXPECT_FALSE(Index::parse(more, made.bytes.size()));
}

TEST(Limits, AreKept) {
  Writer writer;
  (void)writer.begin();
  EXPECT_FALSE(writer.append({0, 0, true, 0, {}})) << "no track yet";
  EXPECT_FALSE(writer.add({.label = std::string(kMaxLabel + 1, 'x')}));
  EXPECT_FALSE(writer.add({.label = "\xff"}));
  for (std::size_t i = 0; i < kMaxTracks; ++i) EXPECT_TRUE(writer.add({}));
  EXPECT_EQ(writer.add({}).error().code, ErrorCode::kTooLarge);
  EXPECT_FALSE(writer.append({0, ~0ULL, true, 0, {}}));
  // A length that nobody should make room for.
  const auto parsed = parse_record(*from_hex("850000f5005b7fffffffffffffff"), 1);
  ASSERT_FALSE(parsed);
  EXPECT_EQ(parsed.error().code, ErrorCode::kTooLarge);
}

TEST(Codecs, EachHasItsName) {
  for (const char* name : {"vp8", "vp9", "h264", "h265", "av1", "opus"}) {
    ASSERT_TRUE(codec_named(name));
    EXPECT_EQ(e2ee::name_of(*codec_named(name)), name);
  }
  EXPECT_FALSE(codec_named("VP8"));
  const auto unknown =
      parse_record(*from_hex("896e736f74746f2f747261636b2f7631006378787800000000406100"), 0);
  EXPECT_EQ(unknown.error().code, ErrorCode::kUnsupported);
}

class OnDisk : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "sotto-container-XXXXXX";
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    folder = name;
  }
  void TearDown() override { std::filesystem::remove_all(folder); }
  std::filesystem::path folder;
};

TEST_F(OnDisk, AFileComesBackAndIsPrivate) {
  const auto path = folder / "a.sotto";
  const auto made = make_file(100, 3000);
  {
    auto file = FileWriter::create(path, {42});
    ASSERT_TRUE(file);
    ASSERT_EQ(file->add({.codec = e2ee::Codec::kVp8, .width = 16, .height = 8}), 0U);
    ASSERT_EQ(file->add({.codec = e2ee::Codec::kOpus, .rate = 48000, .channels = 1}), 1U);
    for (const auto& frame : made.frames) {
      ASSERT_TRUE(file->append({frame.track, frame.pts, frame.key, frame.kid, frame.bytes}));
    }
    ASSERT_TRUE(file->finish());
    EXPECT_FALSE(file->append({0, 0, true, 0, {}})) << "it has its end";
  }
  EXPECT_EQ(std::filesystem::file_size(path), made.whole().size());
  EXPECT_EQ(std::filesystem::status(path).permissions() & std::filesystem::perms::mask,
            std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  EXPECT_EQ(FileWriter::create(path).error().code, ErrorCode::kExists);
  auto source = FileSource::open(path);
  ASSERT_TRUE(source);
  auto reader = Reader::open(*source);
  ASSERT_TRUE(reader);
  EXPECT_FALSE(reader->rebuilt());
  EXPECT_EQ(rest_of(*reader), made.frames);
}

// The parent kills the writer without warning, at whatever it is doing, and counts.
TEST_F(OnDisk, AKillLosesAtMostTheLastRecord) {
  constexpr int kRounds = 20;
  for (int round = 0; round < kRounds; ++round) {
    const auto path = folder / ("k" + std::to_string(round));
    int pipe_ends[2];
    ASSERT_EQ(pipe(pipe_ends), 0);
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      auto file = FileWriter::create(path);
      (void)file->add({.codec = e2ee::Codec::kVp9});
      for (std::uint32_t i = 0;; ++i) {
        const Bytes frame(200 + i % 5000, static_cast<std::uint8_t>(i));
        if (!file->append({0, i * 1000ULL, i % 30 == 0, i, frame})) _exit(1);
        if (write(pipe_ends[1], &i, sizeof i) != sizeof i) _exit(2);
      }
    }
    close(pipe_ends[1]);
    std::uint32_t done = 0;
    const std::uint32_t enough = 20 + random_u32() % 300;
    while (done < enough) ASSERT_EQ(read(pipe_ends[0], &done, sizeof done), sizeof done);
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
    while (read(pipe_ends[0], &done, sizeof done) == sizeof done) {
    }
    close(pipe_ends[0]);
    auto source = FileSource::open(path);
    ASSERT_TRUE(source);
    auto reader = Reader::open(*source);
    ASSERT_TRUE(reader);
    EXPECT_TRUE(reader->rebuilt());
    const auto frames = rest_of(*reader);
    EXPECT_GE(frames.size(), done + 1U) << "all that append() came back from";
    EXPECT_LE(frames.size(), done + 2U);
    for (std::size_t i = 0; i < frames.size(); ++i) {
      ASSERT_EQ(frames[i].kid, i);
      ASSERT_EQ(frames[i].bytes, Bytes(200 + i % 5000, static_cast<std::uint8_t>(i)));
    }
  }
}

TEST_F(OnDisk, AFullDiskIsTold) {
  auto file = FileWriter::create("/dev/full");
  EXPECT_FALSE(file) << "it exists";
  const auto path = folder / "limited";
  auto limited = FileWriter::create(path);
  ASSERT_TRUE(limited);
  ASSERT_TRUE(limited->add({}));
  const rlimit small{4096, RLIM_INFINITY};
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, SIG_IGN);
  setrlimit(RLIMIT_FSIZE, &small);
  const Bytes frame(1000, 9);
  Result<> last;
  for (int i = 0; i < 10 && last; ++i) last = limited->append({0, 0, true, 0, frame});
  setrlimit(RLIMIT_FSIZE, &before);
  ASSERT_FALSE(last);
  EXPECT_EQ(last.error().code, ErrorCode::kIo);
  EXPECT_FALSE(limited->append({0, 0, true, 0, frame})) << "nothing follows half a record";
  auto source = FileSource::open(path);
  auto reader = Reader::open(*source);
  ASSERT_TRUE(reader);
  EXPECT_EQ(rest_of(*reader).size(), 4U) << "what fits into 4096 bytes";
}

TEST(LookingAtSealedFrames, TellsKidAndKeyframeOfEachCodec) {
  Bytes scratch;
  const char* root = std::getenv("SOTTO_SOURCE_ROOT");
  std::ifstream in(std::string(root == nullptr ? "." : root) + "/tests/vectors/sealed-frames.json");
  const auto examples = nlohmann::json::parse(in, nullptr, false);
  const std::map<std::string, e2ee::Codec> codecs = {
      {"video/VP8", e2ee::Codec::kVp8},   {"video/VP9", e2ee::Codec::kVp9},
      {"video/H264", e2ee::Codec::kH264}, {"video/H265", e2ee::Codec::kH265},
      {"video/AV1", e2ee::Codec::kAv1},   {"audio/opus", e2ee::Codec::kOpus}};
  int keys = 0;
  int all = 0;
  for (const auto& entry : examples["examples"]) {
    const auto sealed = *from_hex(entry["sealed"].get<std::string>());
    const auto seen = e2ee::look_at(codecs.at(entry["codec"]), sealed, scratch);
    ASSERT_TRUE(seen) << entry.dump();
    EXPECT_EQ(seen->kid, 0x0123456789abcdefU);
    keys += seen->keyframe ? 1 : 0;
    ++all;
  }
  EXPECT_GE(all, 9);
  EXPECT_GT(keys, 3);
  EXPECT_LT(keys, all);
  EXPECT_FALSE(e2ee::look_at(e2ee::Codec::kVp8, Bytes{0x10, 2}, scratch));
  EXPECT_FALSE(e2ee::look_at(e2ee::Codec::kH264, Bytes{0, 0, 1, 0x65, 0x11, 9}, scratch));
  EXPECT_FALSE(e2ee::look_at(e2ee::Codec::kOpus, Bytes{0xF0, 1}, scratch));
}

}  // namespace
}  // namespace sotto::container
