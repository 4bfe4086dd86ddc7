// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "pipelines/recording/repair.h"

#include "elements/glue/gst_ptr.h"
#include "pipelines/recording/place.h"

#include <gst/gst.h>

#include <mutex>
#include <string>
#include <thread>
#include <utility>

namespace sotto::recording {
namespace {

namespace fs = std::filesystem;

constexpr const char* kPart = ".part";
constexpr const char* kRepaired = ".repaired";
/// Tracks are interleaved by what was written, so that one may be this far ahead of another.
constexpr guint kMaxAheadBytes = 64U << 20U;
constexpr guint kLookInterval = 1000;  // ms

/// A pad of the old file flows into a pad of the new one.
void on_pad(GstElement*, GstPad* pad, gpointer held) {
  auto* bin = GST_BIN(held);
  const auto mux = GstPtr<GstElement>::adopt(gst_bin_get_by_name(bin, "mux"));
  GstElement* queue = gst_element_factory_make("queue", nullptr);
  g_object_set(queue, "max-size-bytes", kMaxAheadBytes, "max-size-buffers", 0U, "max-size-time",
               guint64{0}, nullptr);
  gst_bin_add(bin, queue);
  const auto in = GstPtr<GstPad>::adopt(gst_element_get_static_pad(queue, "sink"));
  const auto caps = GstPtr<GstCaps>::adopt(gst_pad_query_caps(pad, nullptr));
  const bool video = g_str_has_prefix(gst_structure_get_name(gst_caps_get_structure(caps.get(), 0)),
                                      "video/") != FALSE;
  gst_element_link_pads(queue, "src", mux.get(), video ? "video_%u" : "audio_%u");
  gst_element_sync_state_with_parent(queue);
  gst_pad_link(pad, in.get());
}

}  // namespace

std::vector<fs::path> unfinished(const fs::path& folder) {
  std::vector<fs::path> found;
  std::error_code error;
  fs::recursive_directory_iterator at(folder, fs::directory_options::skip_permission_denied, error);
  for (; !error && at != fs::recursive_directory_iterator() && found.size() < kMaxUnfinished;
       at.increment(error)) {
    if (at.depth() >= static_cast<int>(kMaxNameDepth)) at.disable_recursion_pending();
    const fs::path whole = at->path().stem();
    const bool ours = at->path().extension() == kPart &&
                      (whole.extension() == ".webm" || whole.extension() == ".mp4");
    std::error_code unknown;
    if (ours && at->symlink_status(unknown).type() == fs::file_type::regular) {
      found.push_back(at->path());
    }
  }
  return found;
}

class Repair::Work {
 public:
  Work(std::vector<fs::path> parts, Done done) : parts_(std::move(parts)), done_(std::move(done)) {
    thread_ = std::thread([this] { run(); });
  }
  ~Work() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
      if (bus_)
        gst_bus_post(bus_.get(),
                     gst_message_new_application(nullptr, gst_structure_new_empty("end")));
    }
    thread_.join();
  }

 private:
  void run() {
    for (const auto& part : parts_) {
      auto finished = finish(part);
      const std::lock_guard lock(mutex_);
      if (stopping_) return;
      done_(part, finished);
    }
  }

  Result<fs::path> finish(const fs::path& part) {
    const fs::path whole = part.parent_path() / part.stem();
    std::error_code error;
    if (fs::exists(whole, error))
      return fail(ErrorCode::kExists, "There is a finished one already");
    if (fs::file_size(part, error) == 0 && !error) {
      fs::remove(part, error);
      return fail(ErrorCode::kNotFound, "Nothing was recorded");
    }
    if (whole.extension() == ".webm") {
      const fs::path repaired = part.string() + kRepaired;
      auto done = remux(part, repaired);
      if (!done) {
        fs::remove(repaired, error);
        return tl::unexpected<Error>(done.error());
      }
      fs::rename(repaired, whole, error);
      if (!error) fs::remove(part, error);
    } else {
      fs::rename(part, whole, error);
    }
    if (error) return fail(ErrorCode::kIo, error.message());
    return whole;
  }

  Result<> remux(const fs::path& from, const fs::path& to) {
    g_autoptr(GError) problem = nullptr;
    const auto pipeline = GstPtr<GstElement>::sink(gst_parse_launch(
        "filesrc name=from ! matroskademux name=demux  webmmux name=mux ! filesink name=to",
        &problem));
    if (problem != nullptr) return fail(ErrorCode::kUnavailable, problem->message);
    auto* bin = GST_BIN(pipeline.get());
    const auto named = [bin](const char* name) {
      return GstPtr<GstElement>::adopt(gst_bin_get_by_name(bin, name));
    };
    g_object_set(named("from").get(), "location", from.c_str(), nullptr);
    const auto sink = named("to");
    g_object_set(sink.get(), "location", to.c_str(), nullptr);
    g_signal_connect(named("demux").get(), "pad-added", G_CALLBACK(on_pad), bin);
    const auto bus = GstPtr<GstBus>::adopt(gst_element_get_bus(pipeline.get()));
    {
      const std::lock_guard lock(mutex_);
      if (stopping_) return fail(ErrorCode::kUnavailable, "The process ends");
      bus_ = bus;
    }
    gst_element_set_state(pipeline.get(), GST_STATE_PLAYING);
    auto result = wait(bus.get(), to);
    {
      const std::lock_guard lock(mutex_);
      bus_.reset();
    }
    gst_element_set_state(pipeline.get(), GST_STATE_NULL);
    gst_bus_set_flushing(bus.get(), TRUE);
    return result;
  }

  static Result<> wait(GstBus* bus, const fs::path& growing) {
    constexpr auto kWanted =
        static_cast<GstMessageType>(GST_MESSAGE_EOS | GST_MESSAGE_ERROR | GST_MESSAGE_APPLICATION);
    std::uintmax_t size = 0;
    auto moved = std::chrono::steady_clock::now();
    while (true) {
      const auto message = GstPtr<GstMessage>::adopt(
          gst_bus_timed_pop_filtered(bus, kLookInterval * GST_MSECOND, kWanted));
      const auto now = std::chrono::steady_clock::now();
      if (!message) {
        std::error_code unknown;
        const auto grown = fs::file_size(growing, unknown);
        if (!unknown && grown != std::exchange(size, grown)) moved = now;
        if (now - moved < kRepairPatience) continue;
        return fail(ErrorCode::kTimeout, "It cannot be read to its end");
      }
      if (GST_MESSAGE_TYPE(message.get()) == GST_MESSAGE_EOS) return {};
      if (GST_MESSAGE_TYPE(message.get()) == GST_MESSAGE_APPLICATION) {
        return fail(ErrorCode::kUnavailable, "The process ends");
      }
      g_autoptr(GError) what = nullptr;
      gst_message_parse_error(message.get(), &what, nullptr);
      return fail(ErrorCode::kParse, what->message);
    }
  }

  const std::vector<fs::path> parts_;
  const Done done_;
  std::mutex mutex_;    // Protects what follows, and is held while done_ is called: it only posts.
  GstPtr<GstBus> bus_;  // Of the file under way.
  bool stopping_ = false;
  std::thread thread_;
};

Repair::Repair(std::vector<fs::path> parts, Done done)
    : work_(parts.empty() ? nullptr : std::make_unique<Work>(std::move(parts), std::move(done))) {}
Repair::~Repair() = default;

}  // namespace sotto::recording
