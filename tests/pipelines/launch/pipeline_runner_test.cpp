// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "pipelines/launch/pipeline_runner.h"

#include "pipelines/launch/advice.h"

#include <gtest/gtest.h>

#include <memory>

namespace sotto {
namespace {

class PipelineRunnerTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { gst_init(nullptr, nullptr); }
  static void TearDownTestSuite() { gst_deinit(); }

  /// Runs until done; calls `playing` (with the runner) once everything plays.
  Result<> run(const std::vector<std::string>& words,
               const std::function<void(PipelineRunner&)>& playing = {}) {
    auto pipeline = build_pipeline(words);
    if (!pipeline) return tl::unexpected(pipeline.error());
    const std::unique_ptr<GMainLoop, void (*)(GMainLoop*)> loop(g_main_loop_new(nullptr, FALSE),
                                                                g_main_loop_unref);
    Result<> result;
    PipelineRunner runner(std::move(*pipeline), [&](Result<> done) {
      result = std::move(done);
      g_main_loop_quit(loop.get());
    });
    if (playing) runner.on_playing([&] { playing(runner); });
    runner.start();
    g_main_loop_run(loop.get());
    return result;
  }
};

TEST_F(PipelineRunnerTest, EndsWithTheStream) {
  EXPECT_TRUE(run({"fakesrc", "num-buffers=3", "!", "fakesink"}));
}

TEST_F(PipelineRunnerTest, StopEndsALiveStream) {
  bool played = false;
  EXPECT_TRUE(run({"audiotestsrc", "is-live=true", "!", "fakesink"}, [&](PipelineRunner& runner) {
    played = true;
    runner.stop();
  }));
  EXPECT_TRUE(played);
}

TEST_F(PipelineRunnerTest, AFailureSaysWhereAndWhatToDo) {
  const auto result = run({"filesrc", "location=/nowhere/at-all", "!", "fakesink"});
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::kNotFound);
  EXPECT_EQ(result.error().message.find("filesrc: "), 0U) << result.error().message;
  EXPECT_NE(result.error().message.find("check the address"), std::string::npos)
      << result.error().message;
}

TEST_F(PipelineRunnerTest, AMissingElementNamesItsPackage) {
  const auto result = run({"libcamerasrc-of-tomorrow", "!", "fakesink"});
  ASSERT_FALSE(result);
  EXPECT_NE(result.error().message.find("gstreamer1.0-libcamera"), std::string::npos)
      << result.error().message;
}

TEST_F(PipelineRunnerTest, APropertyThatCannotBeSetIsAnError) {
  EXPECT_FALSE(build_pipeline({"fakesrc", "num-buffers=many", "!", "fakesink"}));
  EXPECT_FALSE(build_pipeline({"fakesrc", "no-such-property=1", "!", "fakesink"}));
  EXPECT_FALSE(build_pipeline({"fakesrc", "!"}));
}

TEST(Advice, KnowsWhereElementsComeFrom) {
  EXPECT_NE(origin_of_element("x264enc").find("plugins-ugly"), std::string_view::npos);
  EXPECT_NE(origin_of_element("v4l2h264enc").find("Raspberry Pi 4"), std::string_view::npos);
  EXPECT_TRUE(origin_of_element("nobody-knows").empty());
}

}  // namespace
}  // namespace sotto
