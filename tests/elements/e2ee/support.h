// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// Harnesses, key files and collected frames for tests of the e2ee elements.
#pragma once

#include "core/base/random.h"
#include "core/e2ee/key_file.h"
#include "elements/glue/gst_ptr.h"

#include <gst/check/gstharness.h>
#include <gst/gst.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace sotto {

struct FreeHarness {
  void operator()(GstHarness* harness) const {
    // Messages left on the bus refer to the element that holds the bus.
    gst_element_set_bus(harness->element, nullptr);
    gst_harness_teardown(harness);
  }
};
struct FreeStructure {
  void operator()(GstStructure* structure) const { gst_structure_free(structure); }
};
using Harness = std::unique_ptr<GstHarness, FreeHarness>;
using Structure = std::unique_ptr<GstStructure, FreeStructure>;

inline Bytes bytes_of(GstBuffer* buffer) {
  Bytes out(gst_buffer_get_size(buffer));
  gst_buffer_extract(buffer, 0, out.data(), out.size());
  return out;
}

inline GstBuffer* buffer_of(const Bytes& bytes) {
  auto* buffer = gst_buffer_new_allocate(nullptr, bytes.size(), nullptr);
  gst_buffer_fill(buffer, 0, bytes.data(), bytes.size());
  return buffer;
}

inline guint64 count(GstElement* element, const char* field) {
  GstStructure* stats = nullptr;
  g_object_get(element, "stats", &stats, nullptr);
  const Structure held(stats);
  guint64 value = ~0ULL;
  gst_structure_get_uint64(stats, field, &value);
  return value;
}

class E2eeTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "sotto-e2ee-XXXXXX";
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    folder = name;
    key = new_key("key");
    other = new_key("other");
  }
  void TearDown() override { std::filesystem::remove_all(folder); }

  std::string new_key(const std::string& name, sframe::Suite suite = sframe::kDefaultSuite) const {
    const auto path = folder / name;
    EXPECT_TRUE(e2ee::write_key_file(path, e2ee::new_file_key(suite)));
    return path.string();
  }
  /// A harness around one of the elements, its bus read by `message`.
  Harness make(const char* factory, const char* caps, const std::string& file = "") {
    auto element = GstPtr<GstElement>::sink(gst_element_factory_make(factory, nullptr));
    if (!file.empty()) g_object_set(element.get(), "key-file", file.c_str(), nullptr);
    return wrap(element, caps);
  }
  Harness wrap(const GstPtr<GstElement>& element, const char* caps) {
    const auto bus = GstPtr<GstBus>::adopt(gst_bus_new());
    gst_element_set_bus(element.get(), bus.get());
    Harness harness(gst_harness_new_with_element(element.get(), "sink", "src"));
    gst_harness_set_src_caps_str(harness.get(), caps);
    return harness;
  }
  /// The next element message of this name.
  static Structure message(GstHarness* harness, const char* name) {
    const auto bus = GstPtr<GstBus>::adopt(gst_element_get_bus(harness->element));
    while (const auto next =
               GstPtr<GstMessage>::adopt(gst_bus_pop_filtered(bus.get(), GST_MESSAGE_ELEMENT))) {
      const auto* structure = gst_message_get_structure(next.get());
      if (gst_structure_has_name(structure, name) != FALSE) {
        return Structure(gst_structure_copy(structure));
      }
    }
    return nullptr;
  }
  /// What comes out for one buffer; empty when nothing does.
  static Bytes push(GstHarness* harness, const Bytes& bytes) {
    EXPECT_EQ(gst_harness_push(harness, buffer_of(bytes)), GST_FLOW_OK);
    const auto out = GstPtr<GstBuffer>::adopt(gst_harness_try_pull(harness));
    return out ? bytes_of(out.get()) : Bytes{};
  }

  std::filesystem::path folder;
  std::string key;
  std::string other;
};

}  // namespace sotto
