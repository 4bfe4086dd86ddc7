// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "pipelines/publish/graph.h"

#include "pipelines/launch/pipeline_runner.h"
#include "tests/support/rtsp_camera/rtsp_camera.h"

#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <map>
#include <mutex>
#include <set>

namespace sotto {
namespace {

constexpr std::chrono::seconds kPatience{60};

/// Stands where whip-sink stands and remembers what came.
class Collector {
 public:
  Result<GstPtr<GstElement>> make() {
    auto funnel = GstPtr<GstElement>::sink(gst_element_factory_make("funnel", nullptr));
    const auto src = GstPtr<GstPad>::adopt(gst_element_get_static_pad(funnel.get(), "src"));
    gst_pad_add_probe(
        src.get(),
        static_cast<GstPadProbeType>(GST_PAD_PROBE_TYPE_BUFFER | GST_PAD_PROBE_TYPE_BUFFER_LIST |
                                     GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM),
        &Collector::on_data, this, nullptr);
    const std::lock_guard lock(mutex_);
    ++made_;
    return funnel;
  }
  /// Until `count` packets of this encoding came.
  bool wait_for(const std::string& encoding, unsigned count) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kPatience, [&] { return packets_[encoding] >= count; });
  }
  bool has(const std::string& encoding, unsigned count) {
    const std::lock_guard lock(mutex_);
    return packets_[encoding] >= count;
  }
  bool wait_for_end() {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kPatience, [&] { return ended_; });
  }
  unsigned made() {
    const std::lock_guard lock(mutex_);
    return made_;
  }
  std::size_t largest() {
    const std::lock_guard lock(mutex_);
    return largest_;
  }

 private:
  static GstPadProbeReturn on_data(GstPad* pad, GstPadProbeInfo* info, gpointer data) {
    static_cast<Collector*>(data)->take(pad, info);
    const bool event = (GST_PAD_PROBE_INFO_TYPE(info) & GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM) != 0;
    return event ? GST_PAD_PROBE_OK : GST_PAD_PROBE_DROP;
  }
  void take(GstPad* pad, GstPadProbeInfo* info) {
    const std::lock_guard lock(mutex_);
    if ((GST_PAD_PROBE_INFO_TYPE(info) & GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM) != 0) {
      ended_ |= GST_EVENT_TYPE(gst_pad_probe_info_get_event(info)) == GST_EVENT_EOS;
      changed_.notify_all();
      return;
    }
    const auto caps = GstPtr<GstCaps>::adopt(gst_pad_get_current_caps(pad));
    if (!caps) return;
    const auto* name =
        gst_structure_get_string(gst_caps_get_structure(caps.get(), 0), "encoding-name");
    auto& count = packets_[name != nullptr ? name : ""];
    if ((GST_PAD_PROBE_INFO_TYPE(info) & GST_PAD_PROBE_TYPE_BUFFER_LIST) != 0) {
      auto* list = gst_pad_probe_info_get_buffer_list(info);
      for (guint i = 0; i < gst_buffer_list_length(list); ++i) {
        ++count;
        largest_ = std::max(largest_, gst_buffer_get_size(gst_buffer_list_get(list, i)));
      }
    } else {
      ++count;
      largest_ = std::max(largest_, gst_buffer_get_size(gst_pad_probe_info_get_buffer(info)));
    }
    changed_.notify_all();
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, unsigned> packets_;
  std::size_t largest_ = 0;
  unsigned made_ = 0;
  bool ended_ = false;
};

std::set<std::string> factories_in(GstElement* bin) {
  std::set<std::string> names;
  auto* elements = gst_bin_iterate_recurse(GST_BIN(bin));
  GValue item = G_VALUE_INIT;
  while (gst_iterator_next(elements, &item) == GST_ITERATOR_OK) {
    auto* factory = gst_element_get_factory(GST_ELEMENT(g_value_get_object(&item)));
    if (factory != nullptr) names.insert(GST_OBJECT_NAME(factory));
    g_value_reset(&item);
  }
  g_value_unset(&item);
  gst_iterator_free(elements);
  return names;
}

class PublishGraphTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { gst_init(nullptr, nullptr); }
  static void TearDownTestSuite() { gst_deinit(); }

  void TearDown() override {
    if (graph_) gst_element_set_state(graph_->pipeline().get(), GST_STATE_NULL);
    graph_.reset();
    while (g_main_context_iteration(nullptr, FALSE) != FALSE) {
    }
  }

  Result<> start(const PublishOptions& options) {
    auto graph = PublishGraph::build(
        options, elements_of_this_machine(), [this] { return collector_.make(); },
        [this](std::string note) {
          const std::lock_guard lock(notes_mutex_);
          notes_ += note + "\n";
        });
    if (!graph) return tl::unexpected(graph.error());
    graph_ = std::move(*graph);
    gst_element_set_state(graph_->pipeline().get(), GST_STATE_PLAYING);
    return {};
  }

  /// Starts and runs the main context, as the patience timer needs, until `count` packets came.
  bool start_until(const PublishOptions& options, const std::string& encoding, unsigned count) {
    if (!start(options)) return false;
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    const auto tick = g_timeout_add(
        20, [](gpointer) -> gboolean { return G_SOURCE_CONTINUE; }, nullptr);
    while (!collector_.has(encoding, count) && std::chrono::steady_clock::now() < deadline) {
      g_main_context_iteration(nullptr, TRUE);
    }
    g_source_remove(tick);
    return collector_.has(encoding, count);
  }

  PublishOptions small() {
    PublishOptions o;
    o.width = 160;
    o.height = 120;
    o.fps = 15;
    o.kilobits = 200;
    return o;
  }

  Collector collector_;
  std::shared_ptr<PublishGraph> graph_;
  std::mutex notes_mutex_;
  std::string notes_;
};

TEST_F(PublishGraphTest, TestPictureThroughEverySoftwareEncoder) {
  for (const auto& [encoder, encoding] :
       {std::pair{"x264enc", "H264"}, {"openh264enc", "H264"}, {"vp8enc", "VP8"}}) {
    Collector fresh;
    auto o = small();
    o.encoder = encoder;
    auto graph = PublishGraph::build(
        o, elements_of_this_machine(), [&] { return fresh.make(); }, [](const std::string&) {});
    ASSERT_TRUE(graph) << encoder << ": " << graph.error().message;
    gst_element_set_state((*graph)->pipeline().get(), GST_STATE_PLAYING);
    EXPECT_TRUE(fresh.wait_for(encoding, 10)) << encoder;
    EXPECT_TRUE(fresh.wait_for("OPUS", 10)) << encoder;
    EXPECT_LE(fresh.largest(), 1200U) << encoder;
    EXPECT_EQ((*graph)->encoder(), encoder);
    const auto meter = (*graph)->take_meter();
    EXPECT_GT(meter.frames, 0U) << encoder;
    EXPECT_EQ(meter.delays_us.size(), meter.frames) << encoder;
    gst_element_set_state((*graph)->pipeline().get(), GST_STATE_NULL);
  }
}

TEST_F(PublishGraphTest, AFileIsPublishedToItsEnd) {
  const auto folder =
      std::filesystem::temp_directory_path() / ("sotto-publish-" + std::to_string(getpid()));
  std::filesystem::create_directories(folder);
  const auto path = (folder / "clip.webm").string();
  auto writer = build_pipeline({"videotestsrc", "num-buffers=12", "!",
                                "video/x-raw,width=160,height=120,framerate=15/1", "!", "vp8enc",
                                "deadline=1", "!", "webmmux", "!", "filesink", "location=" + path});
  ASSERT_TRUE(writer) << writer.error().message;
  gst_element_set_state(writer->get(), GST_STATE_PLAYING);
  const auto bus = GstPtr<GstBus>::adopt(gst_element_get_bus(writer->get()));
  const auto done = GstPtr<GstMessage>::adopt(
      gst_bus_timed_pop_filtered(bus.get(), GST_SECOND * kPatience.count(),
                                 static_cast<GstMessageType>(GST_MESSAGE_EOS | GST_MESSAGE_ERROR)));
  gst_element_set_state(writer->get(), GST_STATE_NULL);
  ASSERT_TRUE(done && GST_MESSAGE_TYPE(done.get()) == GST_MESSAGE_EOS);

  auto o = small();
  o.input = PublishInput::kFile;
  o.place = path;
  o.encoder = "vp8enc";
  ASSERT_TRUE(start(o));
  EXPECT_TRUE(collector_.wait_for("VP8", 12));
  EXPECT_TRUE(collector_.wait_for_end());
  EXPECT_EQ(collector_.made(), 1U);
  std::filesystem::remove_all(folder);
}

TEST_F(PublishGraphTest, AnRtspCameraPassesUndecoded) {
  auto camera = test::RtspCamera::start({});
  ASSERT_TRUE(camera) << camera.error().message;
  auto o = small();
  o.input = PublishInput::kRtsp;
  o.place = (*camera)->url("/h264-pcmu");
  ASSERT_TRUE(start_until(o, "H264", 30));
  EXPECT_TRUE(collector_.wait_for("PCMU", 30));
  EXPECT_LE(collector_.largest(), 1200U) << "the camera's packets of 1400 bytes are cut smaller";
  EXPECT_EQ(graph_->encoder(), "");
  for (const auto& name : factories_in(graph_->pipeline().get())) {
    EXPECT_EQ(name.find("264dec"), std::string::npos) << name;
    EXPECT_EQ(name.find("264enc"), std::string::npos) << name;
    EXPECT_NE(name, "decodebin");
  }
}

TEST_F(PublishGraphTest, AnRtspCamerasAacBecomesOpus) {
  auto camera = test::RtspCamera::start({});
  ASSERT_TRUE(camera) << camera.error().message;
  auto o = small();
  o.input = PublishInput::kRtsp;
  o.place = (*camera)->url("/h264");
  ASSERT_TRUE(start_until(o, "H264", 10));
  EXPECT_TRUE(collector_.wait_for("OPUS", 10));
  const std::lock_guard lock(notes_mutex_);
  EXPECT_NE(notes_.find("AAC"), std::string::npos);
}

}  // namespace
}  // namespace sotto
