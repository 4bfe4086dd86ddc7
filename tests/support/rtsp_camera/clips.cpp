// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tests/support/rtsp_camera/clips.h"

#include "core/base/bytes.h"
#include "core/base/scope_exit.h"
#include "tests/support/rtsp_camera/picture.h"

#include <fcntl.h>
#include <gst/app/gstappsink.h>
#include <gst/app/gstappsrc.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <cstdlib>

namespace sotto::test {
namespace {

// Part of the file name: another way to encode must not meet the files of the old one.
constexpr int kClipVersion = 1;
constexpr std::chrono::nanoseconds kClipDuration =
    std::chrono::nanoseconds(std::chrono::seconds(kClipFrames)) / kClipFps;
constexpr GstClockTime kEncodeDeadline = 120 * GST_SECOND;

struct Recipe {
  const char* name;
  unsigned number;
  bool video;
  unsigned width;  ///< Height is three quarters of it. 0 for sound.
  const char* launch;
};

constexpr std::array kRecipes{
    Recipe{"h264", 1, true, 320,
           "x264enc bitrate=400 speed-preset=veryfast tune=zerolatency key-int-max=20 ! "
           "video/x-h264,profile=main,stream-format=avc,alignment=au"},
    Recipe{"h264-small", 2, true, 160,
           "x264enc bitrate=120 speed-preset=veryfast tune=zerolatency key-int-max=20 ! "
           "video/x-h264,profile=main,stream-format=avc,alignment=au"},
    Recipe{"h264-b", 3, true, 320,
           "x264enc bitrate=400 speed-preset=veryfast key-int-max=20 bframes=2 b-adapt=false "
           "rc-lookahead=4 ! video/x-h264,profile=high,stream-format=avc,alignment=au"},
    Recipe{"h265", 4, true, 320,
           "x265enc bitrate=400 speed-preset=ultrafast tune=zerolatency key-int-max=20 ! "
           "h265parse ! video/x-h265,stream-format=hvc1,alignment=au"},
    Recipe{"vp8", 5, true, 320,
           "vp8enc target-bitrate=400000 deadline=1 cpu-used=4 keyframe-max-dist=20"},
    Recipe{"vp9", 6, true, 320,
           "vp9enc target-bitrate=400000 deadline=1 cpu-used=6 keyframe-max-dist=20"},
    Recipe{"h264-high", 7, true, 320,
           "x264enc bitrate=400 speed-preset=veryfast tune=zerolatency dct8x8=true "
           "key-int-max=20 ! video/x-h264,profile=high,stream-format=avc,alignment=au"},
    Recipe{"av1", 8, true, 320,
           "av1enc usage-profile=realtime cpu-used=8 keyframe-max-dist=20 max-quantizer=4 ! "
           "av1parse ! video/x-av1,stream-format=obu-stream,alignment=tu"},
    // Of a constant rate, filled up where there is nothing to say: for lines that are too thin.
    Recipe{"h264-full", 10, true, 320,
           "x264enc bitrate=1000 vbv-buf-capacity=300 option-string=nal-hrd=cbr:force-cfr=1 "
           "speed-preset=veryfast tune=zerolatency key-int-max=20 ! "
           "video/x-h264,profile=main,stream-format=avc,alignment=au"},
    Recipe{"h264-full-small", 11, true, 160,
           "x264enc bitrate=200 vbv-buf-capacity=300 option-string=nal-hrd=cbr:force-cfr=1 "
           "speed-preset=veryfast tune=zerolatency key-int-max=20 ! "
           "video/x-h264,profile=main,stream-format=avc,alignment=au"},
    Recipe{"aac", 0, false, 0,
           "audio/x-raw,rate=48000,channels=1 ! avenc_aac bitrate=64000 ! "
           "audio/mpeg,mpegversion=4,stream-format=raw"},
    Recipe{"opus", 0, false, 0,
           "audio/x-raw,rate=48000,channels=2 ! opusenc bitrate=64000 frame-size=20"},
    Recipe{"pcmu", 0, false, 0, "audio/x-raw,rate=8000,channels=1 ! mulawenc"},
    Recipe{"pcma", 0, false, 0, "audio/x-raw,rate=8000,channels=1 ! alawenc"},
    Recipe{"g722", 0, false, 0, "audio/x-raw,rate=16000,channels=1 ! avenc_g722"},
};

const Recipe* find_recipe(std::string_view name) {
  for (const Recipe& recipe : kRecipes) {
    if (name == recipe.name) return &recipe;
  }
  return nullptr;
}

Result<GstPtr<GstElement>> launch(const std::string& line) {
  GError* error = nullptr;
  auto pipeline = GstPtr<GstElement>::sink(gst_parse_launch(line.c_str(), &error));
  if (error == nullptr) return pipeline;
  const ScopeExit free_error([&] { g_error_free(error); });
  return fail(ErrorCode::kUnsupported, line + ": " + error->message);
}

void push_pictures(GstElement* pipeline, const Recipe& recipe) {
  auto source = GstPtr<GstElement>::adopt(gst_bin_get_by_name(GST_BIN(pipeline), "in"));
  const unsigned height = recipe.width * 3 / 4;
  for (unsigned i = 0; i < kClipFrames; ++i) {
    const Bytes picture = draw_picture({i, recipe.number}, recipe.width, height);
    GstBuffer* buffer = gst_buffer_new_memdup(picture.data(), picture.size());
    GST_BUFFER_PTS(buffer) = gst_util_uint64_scale(i, GST_SECOND, kClipFps);
    GST_BUFFER_DURATION(buffer) = GST_SECOND / kClipFps;
    gst_app_src_push_buffer(GST_APP_SRC(source.get()), buffer);
  }
  gst_app_src_end_of_stream(GST_APP_SRC(source.get()));
}

// raw picture or tone ! encoder ! gdppay ! file
Result<> encode(const Recipe& recipe, const std::filesystem::path& file) {
  std::string line;
  if (recipe.video) {
    line = "appsrc name=in format=time max-bytes=0 caps=video/x-raw,format=I420,width=" +
           std::to_string(recipe.width) + ",height=" + std::to_string(recipe.width * 3 / 4) +
           ",framerate=" + std::to_string(kClipFps) + "/1,colorimetry=bt601 ! ";
  } else {
    // Half a clip more than needed: encoders with a delay swallow some of it.
    line =
        "audiotestsrc freq=440 volume=0.4 samplesperbuffer=160 num-buffers=4800 ! "
        "audioconvert ! audioresample ! ";
  }
  line += std::string(recipe.launch) + " ! gdppay ! filesink name=out";
  auto pipeline = launch(line);
  if (!pipeline) return tl::unexpected(pipeline.error());
  const ScopeExit stop([&] { gst_element_set_state(pipeline->get(), GST_STATE_NULL); });
  auto sink = GstPtr<GstElement>::adopt(gst_bin_get_by_name(GST_BIN(pipeline->get()), "out"));
  g_object_set(sink.get(), "location", file.c_str(), nullptr);
  gst_element_set_state(pipeline->get(), GST_STATE_PLAYING);
  if (recipe.video) push_pictures(pipeline->get(), recipe);
  auto bus = GstPtr<GstBus>::adopt(gst_element_get_bus(pipeline->get()));
  auto message = GstPtr<GstMessage>::adopt(
      gst_bus_timed_pop_filtered(bus.get(), kEncodeDeadline,
                                 static_cast<GstMessageType>(GST_MESSAGE_EOS | GST_MESSAGE_ERROR)));
  if (!message || GST_MESSAGE_TYPE(message.get()) != GST_MESSAGE_EOS) {
    return fail(ErrorCode::kIo, std::string("cannot encode clip ") + recipe.name);
  }
  return {};
}

// Opens and locks the folder's lock file, so that one process encodes and the others wait for it.
class FolderLock {
 public:
  explicit FolderLock(const std::filesystem::path& folder)
      : fd_(open((folder / "lock").c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600)) {
    if (fd_ >= 0) flock(fd_, LOCK_EX);
  }
  ~FolderLock() {
    if (fd_ >= 0) close(fd_);
  }
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

 private:
  int fd_;
};

Result<std::filesystem::path> ensure_file(const Recipe& recipe) {
  const auto folder = clip_folder();
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  const auto file =
      folder / (std::string(recipe.name) + "-v" + std::to_string(kClipVersion) + ".gdp");
  if (std::filesystem::exists(file, error)) return file;
  const FolderLock lock(folder);
  if (std::filesystem::exists(file, error)) return file;
  auto part = file;
  part += ".part";
  if (auto done = encode(recipe, part); !done) return tl::unexpected(done.error());
  std::filesystem::rename(part, file, error);
  if (error) return fail(ErrorCode::kIo, file.string() + ": " + error.message());
  return file;
}

// Encoders start their clocks where they like (x264 an hour late, AAC before zero): the clip's
// own line starts at its first DTS, or PTS where buffers come in that order.
void set_times(Clip& clip) {
  GstClockTime origin = GST_CLOCK_TIME_NONE;
  GstClockTime next = 0;
  for (auto& held : clip.buffers) {
    held = GstPtr<GstBuffer>::adopt(gst_buffer_make_writable(held.release()));
    GstBuffer* buffer = held.get();
    if (!clip.video) {
      GST_BUFFER_PTS(buffer) = next;
      GST_BUFFER_DTS(buffer) = GST_CLOCK_TIME_NONE;
      next += GST_BUFFER_DURATION(buffer);
      continue;
    }
    const GstClockTime first = GST_BUFFER_DTS_OR_PTS(buffer);
    if (!GST_CLOCK_TIME_IS_VALID(origin)) origin = first;
    GST_BUFFER_PTS(buffer) -= origin;
    if (GST_BUFFER_DTS_IS_VALID(buffer)) GST_BUFFER_DTS(buffer) -= origin;
  }
}

// x264 repeats its parameter sets before each keyframe even where the caps hold them; whether a
// camera sends them is for its payloader to say.
void strip_parameter_sets(GstPtr<GstBuffer>& held) {
  constexpr std::size_t kLengthBytes = 4;
  constexpr unsigned kSps = 7;
  constexpr unsigned kPps = 8;
  GstMapInfo map;
  if (gst_buffer_map(held.get(), &map, GST_MAP_READ) == FALSE) return;
  Bytes kept;
  std::size_t at = 0;
  while (at + kLengthBytes < map.size) {
    const std::size_t size = GST_READ_UINT32_BE(map.data + at) + kLengthBytes;
    if (size > map.size - at) break;
    const unsigned type = map.data[at + kLengthBytes] & 0x1FU;
    if (type != kSps && type != kPps) kept.insert(kept.end(), map.data + at, map.data + at + size);
    at += size;
  }
  gst_buffer_unmap(held.get(), &map);
  auto bare = GstPtr<GstBuffer>::adopt(gst_buffer_new_memdup(kept.data(), kept.size()));
  gst_buffer_copy_into(
      bare.get(), held.get(),
      static_cast<GstBufferCopyFlags>(GST_BUFFER_COPY_FLAGS | GST_BUFFER_COPY_TIMESTAMPS), 0,
      static_cast<gsize>(-1));
  held = std::move(bare);
}

bool is_header(GstBuffer* buffer) {
  return GST_BUFFER_FLAG_IS_SET(buffer, GST_BUFFER_FLAG_HEADER) && !GST_BUFFER_PTS_IS_VALID(buffer);
}

Result<Clip> read(const Recipe& recipe, const std::filesystem::path& file) {
  auto pipeline = launch("filesrc name=in ! gdpdepay ! appsink name=out sync=false max-buffers=0");
  if (!pipeline) return tl::unexpected(pipeline.error());
  const ScopeExit stop([&] { gst_element_set_state(pipeline->get(), GST_STATE_NULL); });
  auto source = GstPtr<GstElement>::adopt(gst_bin_get_by_name(GST_BIN(pipeline->get()), "in"));
  auto sink = GstPtr<GstElement>::adopt(gst_bin_get_by_name(GST_BIN(pipeline->get()), "out"));
  g_object_set(source.get(), "location", file.c_str(), nullptr);
  gst_element_set_state(pipeline->get(), GST_STATE_PLAYING);

  Clip clip;
  clip.name = recipe.name;
  clip.number = recipe.number;
  clip.video = recipe.video;
  clip.duration = kClipDuration;
  GstClockTime length = 0;
  while (auto sample =
             GstPtr<GstSample>::adopt(gst_app_sink_pull_sample(GST_APP_SINK(sink.get())))) {
    if (!clip.caps) clip.caps = GstPtr<GstCaps>::ref(gst_sample_get_caps(sample.get()));
    GstBuffer* buffer = gst_sample_get_buffer(sample.get());
    if (is_header(buffer)) continue;
    if (!recipe.video) {
      // Whole packets up to the length of the pictures.
      if (!GST_BUFFER_DURATION_IS_VALID(buffer) || GST_BUFFER_DURATION(buffer) == 0) continue;
      if (length + GST_BUFFER_DURATION(buffer) / 2 >
          static_cast<GstClockTime>(kClipDuration.count())) {
        break;
      }
      length += GST_BUFFER_DURATION(buffer);
    }
    clip.buffers.push_back(GstPtr<GstBuffer>::ref(buffer));
  }
  const std::size_t least = recipe.video ? kClipFrames : 100;
  if (!clip.caps || clip.buffers.size() < least) {
    return fail(ErrorCode::kIo, file.string() + " holds " + std::to_string(clip.buffers.size()) +
                                    " buffers; remove it");
  }
  const GstStructure* caps = gst_caps_get_structure(clip.caps.get(), 0);
  if (gst_structure_has_name(caps, "video/x-h264") != FALSE) {
    for (auto& buffer : clip.buffers) strip_parameter_sets(buffer);
  }
  set_times(clip);
  if (!recipe.video) clip.duration = std::chrono::nanoseconds(length);
  return clip;
}

}  // namespace

std::filesystem::path clip_folder() {
  if (const char* root = std::getenv("SOTTO_BUILD_ROOT"); root != nullptr && *root != '\0') {
    return std::filesystem::path(root) / "test-clips";
  }
  return std::filesystem::temp_directory_path() / ("sotto-test-clips-" + std::to_string(getuid()));
}

std::vector<std::string> clip_names() {
  std::vector<std::string> names;
  for (const Recipe& recipe : kRecipes) names.emplace_back(recipe.name);
  return names;
}

Result<Clip> load_clip(std::string_view name) {
  const Recipe* recipe = find_recipe(name);
  if (recipe == nullptr) return fail(ErrorCode::kNotFound, "no clip " + std::string(name));
  auto file = ensure_file(*recipe);
  if (!file) return tl::unexpected(file.error());
  return read(*recipe, *file);
}

}  // namespace sotto::test
