// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// Two ICE agents over loopback, nicesink on one of them: what goes into it must come out of the
// other, in order and unchanged, in fewer system calls.
#include "pipelines/peer/send_shortcut.h"

#include "core/base/bytes.h"

#include <gtest/gtest.h>
#include <nice/agent.h>

#include <chrono>
#include <functional>
#include <memory>
#include <vector>

namespace sotto {
namespace {

using namespace std::chrono_literals;

constexpr auto kPatience = 60s;

/// One agent with one component, on 127.0.0.1, driven by the default main context.
class Agent {
 public:
  explicit Agent(bool controlling) : agent_(nice_agent_new(nullptr, NICE_COMPATIBILITY_RFC5245)) {
    g_object_set(agent_, "controlling-mode", controlling ? TRUE : FALSE, "upnp", FALSE, "ice-tcp",
                 FALSE, nullptr);
    NiceAddress* address = nice_address_new();
    nice_address_set_from_string(address, "127.0.0.1");
    nice_agent_add_local_address(agent_, address);
    nice_address_free(address);
    stream_ = nice_agent_add_stream(agent_, 1);
    nice_agent_attach_recv(
        agent_, stream_, 1, nullptr,
        [](NiceAgent*, guint, guint, guint size, gchar* data, gpointer held) {
          const auto* bytes = reinterpret_cast<const std::uint8_t*>(data);
          static_cast<Agent*>(held)->received.emplace_back(bytes, bytes + size);
        },
        this);
    nice_agent_gather_candidates(agent_, stream_);
  }
  ~Agent() { g_object_unref(agent_); }
  Agent(const Agent&) = delete;
  Agent& operator=(const Agent&) = delete;

  /// Takes the other's credentials and candidates.
  void meet(Agent& other) {
    gchar* fragment = nullptr;
    gchar* password = nullptr;
    nice_agent_get_local_credentials(other.agent_, other.stream_, &fragment, &password);
    nice_agent_set_remote_credentials(agent_, stream_, fragment, password);
    g_free(fragment);
    g_free(password);
    GSList* candidates = nice_agent_get_local_candidates(other.agent_, other.stream_, 1);
    nice_agent_set_remote_candidates(agent_, stream_, 1, candidates);
    g_slist_free_full(candidates,
                      [](gpointer c) { nice_candidate_free(static_cast<NiceCandidate*>(c)); });
  }
  bool ready() const {
    return nice_agent_get_component_state(agent_, stream_, 1) == NICE_COMPONENT_STATE_READY;
  }
  NiceAgent* get() const { return agent_; }
  guint stream() const { return stream_; }

  std::vector<Bytes> received;

 private:
  NiceAgent* agent_;
  guint stream_ = 0;
};

GstBuffer* make_buffer(std::size_t size, std::uint8_t fill) {
  GstBuffer* buffer = gst_buffer_new_allocate(nullptr, size, nullptr);
  gst_buffer_memset(buffer, 0, fill, size);
  return buffer;
}

class SendShortcutTest : public testing::Test {
 protected:
  void SetUp() override {
    bin_ = GstPtr<GstElement>::sink(gst_bin_new(nullptr));
    GstElement* sink = gst_element_factory_make("nicesink", nullptr);
    ASSERT_NE(nullptr, sink) << "nicesink is in gstreamer1.0-nice";
    g_object_set(sink, "agent", ours_.get(), "stream", ours_.stream(), "component", 1U, "sync",
                 FALSE, "async", FALSE, nullptr);
    gst_bin_add(GST_BIN(bin_.get()), sink);
    const auto target = GstPtr<GstPad>::adopt(gst_element_get_static_pad(sink, "sink"));
    gst_element_set_state(bin_.get(), GST_STATE_PLAYING);
    source_ = GstPtr<GstPad>::sink(gst_pad_new("source", GST_PAD_SRC));
    gst_pad_set_active(source_.get(), TRUE);
    ASSERT_EQ(GST_PAD_LINK_OK,
              gst_pad_link_full(source_.get(), target.get(), GST_PAD_LINK_CHECK_NOTHING));
    gst_pad_push_event(source_.get(), gst_event_new_stream_start("test"));
    GstSegment segment;
    gst_segment_init(&segment, GST_FORMAT_TIME);
    gst_pad_push_event(source_.get(), gst_event_new_segment(&segment));
    ours_.meet(theirs_);
    theirs_.meet(ours_);
    ASSERT_TRUE(run_until([this] { return ours_.ready() && theirs_.ready(); }));
  }
  void TearDown() override { gst_element_set_state(bin_.get(), GST_STATE_NULL); }

  static bool run_until(const std::function<bool()>& done) {
    const auto end = std::chrono::steady_clock::now() + kPatience;
    GSource* timer = g_timeout_source_new(20);  // Wakes the loop at the bound at the latest.
    g_source_set_callback(
        timer, [](gpointer) -> gboolean { return G_SOURCE_CONTINUE; }, nullptr, nullptr);
    g_source_attach(timer, nullptr);
    while (!done() && std::chrono::steady_clock::now() < end)
      g_main_context_iteration(nullptr, TRUE);
    g_source_destroy(timer);
    g_source_unref(timer);
    return done();
  }

  void push(const std::vector<std::size_t>& sizes) {
    GstBufferList* list = gst_buffer_list_new();
    std::uint8_t fill = 0;
    for (const std::size_t size : sizes) gst_buffer_list_add(list, make_buffer(size, fill++));
    ASSERT_EQ(GST_FLOW_OK, gst_pad_push_list(source_.get(), list));
  }
  void expect_received(const std::vector<std::size_t>& sizes) {
    ASSERT_TRUE(run_until([&] { return theirs_.received.size() >= sizes.size(); }))
        << theirs_.received.size() << " of " << sizes.size() << " arrived";
    std::uint8_t fill = 0;
    for (std::size_t i = 0; i < sizes.size(); ++i)
      EXPECT_EQ(Bytes(sizes[i], fill++), theirs_.received[i]) << "datagram " << i;
  }

  Agent ours_{true};
  Agent theirs_{false};
  GstPtr<GstElement> bin_;
  GstPtr<GstPad> source_;
};

TEST_F(SendShortcutTest, AFrameArrivesUnchangedInOneCall) {
  SendShortcut shortcut;
  ASSERT_TRUE(shortcut.attach(bin_.get()));
  const std::vector<std::size_t> sizes{1100, 1100, 1100, 1100, 1100, 300};
  push(sizes);
  expect_received(sizes);
  EXPECT_EQ(sizes.size(), shortcut.stats().packets);
  EXPECT_EQ(1U, shortcut.stats().calls);
  EXPECT_EQ(0U, shortcut.stats().dropped);
}

TEST_F(SendShortcutTest, UnequalSizesKeepTheirOrderAndBounds) {
  SendShortcut shortcut;
  ASSERT_TRUE(shortcut.attach(bin_.get()));
  const std::vector<std::size_t> sizes{200, 1100, 1100, 40, 1100, 900, 900, 1, 1};
  push(sizes);
  expect_received(sizes);
  EXPECT_EQ(sizes.size(), shortcut.stats().packets);
}

TEST_F(SendShortcutTest, MoreThanOneRunMayHoldIsSentInSeveral) {
  SendShortcut shortcut;
  ASSERT_TRUE(shortcut.attach(bin_.get()));
  const std::vector<std::size_t> sizes(100, 1000);  // Over 64 segments and over 64 kB.
  push(sizes);
  expect_received(sizes);
  EXPECT_EQ(2U, shortcut.stats().calls);
}

TEST_F(SendShortcutTest, ASingleBufferTakesItToo) {
  SendShortcut shortcut;
  ASSERT_TRUE(shortcut.attach(bin_.get()));
  ASSERT_EQ(GST_FLOW_OK, gst_pad_push(source_.get(), make_buffer(160, 0)));
  expect_received({160});
  EXPECT_EQ(1U, shortcut.stats().packets);
}

TEST_F(SendShortcutTest, ClosedItLeavesTheWayToLibnice) {
  SendShortcut shortcut;
  ASSERT_TRUE(shortcut.attach(bin_.get()));
  shortcut.close();
  const std::vector<std::size_t> sizes{1100, 1100, 300};
  push(sizes);
  expect_received(sizes);
  EXPECT_EQ(0U, shortcut.stats().packets);
}

TEST_F(SendShortcutTest, WithoutATransportThereIsNothingToShorten) {
  const auto empty = GstPtr<GstElement>::sink(gst_bin_new(nullptr));
  SendShortcut shortcut;
  EXPECT_FALSE(shortcut.attach(empty.get()));
}

}  // namespace
}  // namespace sotto
