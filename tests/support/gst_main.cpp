// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// main() of GStreamer tests that must leave no GStreamer object alive.
//
// Wants GST_TRACERS=leaks (gst_test_env sets it). The one object allowed to stay is DTLS' singleton
// agent, which holds the process' certificate. SOTTO_TEST_MAY_LEAK names one thing more, as
// printed, that GStreamer itself is known to lose.
#include <gst/gst.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <string>

namespace {

constexpr const char* kAllowed = "GstDtlsAgent";
constexpr gulong kTurn = 100'000;  // µs
constexpr int kPatienceTurns = 150;

/// Names of GStreamer objects that are still alive. The list takes the objects over, so it is kept.
std::string live_objects() {
  std::string names;
  const char* excused = g_getenv("SOTTO_TEST_MAY_LEAK");
  const std::string may_leak = excused == nullptr ? "" : excused;
  GList* tracers = gst_tracing_get_active_tracers();
  for (GList* item = tracers; item != nullptr; item = item->next) {
    auto* tracer = GST_OBJECT(item->data);
    if (std::string(G_OBJECT_TYPE_NAME(tracer)) != "GstLeaksTracer") continue;
    GstStructure* info = nullptr;
    g_signal_emit_by_name(tracer, "get-live-objects", &info);
    const GValue* list =
        info == nullptr ? nullptr : gst_structure_get_value(info, "live-objects-list");
    for (guint i = 0; list != nullptr && i < gst_value_list_get_size(list); ++i) {
      const auto* entry = gst_value_get_structure(gst_value_list_get_value(list, i));
      const GValue* object = gst_structure_get_value(entry, "object");
      if (object == nullptr) continue;
      const std::string type = G_VALUE_TYPE_NAME(object);
      if (type == kAllowed) continue;
      // Of a plugin that was loaded meanwhile; the registry keeps them.
      if (g_type_is_a(G_VALUE_TYPE(object), GST_TYPE_PLUGIN_FEATURE) != FALSE) continue;
      g_autofree gchar* text = g_strdup_value_contents(object);
      const std::string name = type + " " + text;
      if (name == may_leak) continue;
      names += name + "\n";
    }
  }
  g_list_free_full(tracers, gst_object_unref);
  return names;
}

}  // namespace

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  gst_init(&argc, &argv);
  const int failed = RUN_ALL_TESTS();
  // A DTLS connection that was closed amid its handshake lives until its retransmission timer,
  // which GStreamer cannot take back, has run out: a second at first, doubled each time.
  std::string leaked = live_objects();
  for (int i = 0; !leaked.empty() && i < kPatienceTurns; ++i) {
    g_usleep(kTurn);
    leaked = live_objects();
  }
  if (!leaked.empty()) std::fprintf(stderr, "still alive:\n%s", leaked.c_str());
  return failed != 0 || !leaked.empty() ? 1 : 0;
}
