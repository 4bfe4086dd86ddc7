// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// What every element of the plugin owes its users, whatever it does.
#include "elements/glue/gst_ptr.h"

#include <gst/gst.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace sotto {
namespace {

std::vector<std::string> factories() {
  // Parameters are made before main(): the registry has to be there already.
  gst_init(nullptr, nullptr);
  std::vector<std::string> names;
  GList* features = gst_registry_get_feature_list_by_plugin(gst_registry_get(), "sotto");
  for (GList* item = features; item != nullptr; item = item->next) {
    auto* feature = GST_PLUGIN_FEATURE(item->data);
    if (GST_IS_ELEMENT_FACTORY(feature)) names.emplace_back(gst_plugin_feature_get_name(feature));
  }
  gst_plugin_feature_list_free(features);
  return names;
}

class EveryElement : public testing::TestWithParam<std::string> {
 protected:
  GstPtr<GstElement> make() {
    return GstPtr<GstElement>::sink(gst_element_factory_make(GetParam().c_str(), nullptr));
  }
  static std::vector<GParamSpec*> properties(GstElement* element) {
    guint count = 0;
    g_autofree GParamSpec** specs =
        g_object_class_list_properties(G_OBJECT_GET_CLASS(element), &count);
    return {specs, specs + count};
  }
};

TEST(Plugin, HasItsElements) {
  const auto names = factories();
  for (const char* name : {"whip-sink", "whep-src", "e2ee-encrypt", "e2ee-decrypt", "sealed-mux",
                           "sealed-demux", "sotto-rtpav1pay", "sotto-rtpav1depay"}) {
    EXPECT_NE(std::find(names.begin(), names.end(), name), names.end()) << name;
  }
}

TEST_P(EveryElement, SaysWhatItIs) {
  const auto element = make();
  ASSERT_TRUE(element);
  auto* factory = gst_element_get_factory(element.get());
  for (const char* key : {GST_ELEMENT_METADATA_LONGNAME, GST_ELEMENT_METADATA_KLASS,
                          GST_ELEMENT_METADATA_DESCRIPTION, GST_ELEMENT_METADATA_AUTHOR}) {
    const char* text = gst_element_factory_get_metadata(factory, key);
    EXPECT_TRUE(text != nullptr && *text != '\0') << key;
  }
  EXPECT_EQ(gst_plugin_feature_get_rank(GST_PLUGIN_FEATURE(factory)),
            static_cast<guint>(GST_RANK_NONE))
      << "never plugged by itself";
}

TEST_P(EveryElement, PadTemplatesAreDefinite) {
  const auto element = make();
  auto* factory = gst_element_get_factory(element.get());
  const GList* templates = gst_element_factory_get_static_pad_templates(factory);
  EXPECT_NE(templates, nullptr);
  for (const GList* item = templates; item != nullptr; item = item->next) {
    auto* pad = static_cast<GstStaticPadTemplate*>(item->data);
    const auto caps = GstPtr<GstCaps>::adopt(gst_static_pad_template_get_caps(pad));
    EXPECT_FALSE(gst_caps_is_any(caps.get())) << pad->name_template;
    EXPECT_FALSE(gst_caps_is_empty(caps.get())) << pad->name_template;
  }
}

TEST_P(EveryElement, PropertiesTakeTheirOwnDefaults) {
  const auto element = make();
  for (auto* spec : properties(element.get())) {
    if (spec->owner_type == GST_TYPE_OBJECT || spec->owner_type == GST_TYPE_BIN) continue;
    const char* blurb = g_param_spec_get_blurb(spec);
    EXPECT_TRUE(blurb != nullptr && *blurb != '\0') << spec->name;
    if ((spec->flags & G_PARAM_READABLE) != 0) {
      GValue value = G_VALUE_INIT;
      g_value_init(&value, spec->value_type);
      g_object_get_property(G_OBJECT(element.get()), spec->name, &value);
      const bool settable =
          (spec->flags & G_PARAM_WRITABLE) != 0 && (spec->flags & G_PARAM_CONSTRUCT_ONLY) == 0;
      if (settable) {
        EXPECT_TRUE(g_param_value_defaults(spec, &value)) << spec->name;
        g_object_set_property(G_OBJECT(element.get()), spec->name, &value);
      }
      g_value_unset(&value);
    }
  }
}

TEST_P(EveryElement, SecretsCannotBeReadBack) {
  const auto element = make();
  for (auto* spec : properties(element.get())) {
    const std::string name = spec->name;
    const bool secret = name == "auth-token" || name.find("password") != std::string::npos ||
                        name.find("secret") != std::string::npos || name == "key" ||
                        name == "second-key";
    EXPECT_FALSE(secret && (spec->flags & G_PARAM_READABLE) != 0) << name;
  }
}

TEST_P(EveryElement, GoesUpAndDownRepeatedly) {
  const auto element = make();
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(gst_element_set_state(element.get(), GST_STATE_READY), GST_STATE_CHANGE_SUCCESS);
    EXPECT_EQ(gst_element_set_state(element.get(), GST_STATE_NULL), GST_STATE_CHANGE_SUCCESS);
  }
}

TEST_P(EveryElement, SurvivesAStartThatFailsAndIsStillOfUse) {
  // Without its settings an element either starts or says why not; both ways it comes down again.
  const auto pipeline = GstPtr<GstElement>::sink(gst_pipeline_new(nullptr));
  auto element = make();
  gst_bin_add(GST_BIN(pipeline.get()), element.get());
  const auto bus = GstPtr<GstBus>::adopt(gst_element_get_bus(pipeline.get()));
  for (int i = 0; i < 3; ++i) {
    const auto result = gst_element_set_state(pipeline.get(), GST_STATE_PAUSED);
    if (result == GST_STATE_CHANGE_FAILURE) {
      const auto message =
          GstPtr<GstMessage>::adopt(gst_bus_timed_pop_filtered(bus.get(), 0, GST_MESSAGE_ERROR));
      EXPECT_TRUE(message) << "a failure comes with a reason";
    }
    EXPECT_NE(gst_element_set_state(pipeline.get(), GST_STATE_NULL), GST_STATE_CHANGE_FAILURE);
  }
}

TEST_P(EveryElement, PadsTakeFlushesAndEndOfStreamInAnyState) {
  const auto element = make();
  auto* factory = gst_element_get_factory(element.get());
  std::vector<GstPtr<GstPad>> requested;
  for (const GList* item = gst_element_factory_get_static_pad_templates(factory); item != nullptr;
       item = item->next) {
    auto* pad_template = static_cast<GstStaticPadTemplate*>(item->data);
    if (pad_template->direction != GST_PAD_SINK) continue;
    const auto pad = GstPtr<GstPad>::adopt(
        pad_template->presence == GST_PAD_REQUEST
            ? gst_element_request_pad_simple(element.get(), pad_template->name_template)
            : gst_element_get_static_pad(element.get(), pad_template->name_template));
    ASSERT_TRUE(pad) << pad_template->name_template;
    if (pad_template->presence == GST_PAD_REQUEST) requested.push_back(pad);
    for (const auto state : {GST_STATE_NULL, GST_STATE_READY}) {
      gst_element_set_state(element.get(), state);
      gst_pad_send_event(pad.get(), gst_event_new_flush_start());
      gst_pad_send_event(pad.get(), gst_event_new_flush_stop(TRUE));
      gst_pad_send_event(pad.get(), gst_event_new_stream_start("test"));
      gst_pad_send_event(pad.get(), gst_event_new_eos());
    }
  }
  gst_element_set_state(element.get(), GST_STATE_NULL);
  for (const auto& pad : requested) gst_element_release_request_pad(element.get(), pad.get());
}

TEST_P(EveryElement, IsDescribedByGstInspect) {
  g_autofree gchar* path = g_find_program_in_path("gst-inspect-1.0");
  ASSERT_NE(path, nullptr);
  const std::string name = GetParam();
  const gchar* argv[] = {path, name.c_str(), nullptr};
  g_autofree gchar* output = nullptr;
  gint status = -1;
  g_auto(GStrv) environment = g_get_environ();
  if (const gchar* preload = g_getenv("SOTTO_TOOL_PRELOAD"); preload != nullptr) {
    environment = g_environ_setenv(environment, "LD_PRELOAD", preload, TRUE);
    environment = g_environ_setenv(environment, "ASAN_OPTIONS", "detect_leaks=0", TRUE);
  }
  ASSERT_TRUE(g_spawn_sync(nullptr, const_cast<gchar**>(argv), environment,
                           G_SPAWN_STDERR_TO_DEV_NULL, nullptr, nullptr, &output, nullptr, &status,
                           nullptr));
  EXPECT_EQ(status, 0);
  EXPECT_NE(std::string(output).find("Plugin Details"), std::string::npos);
}

std::string test_name(const testing::TestParamInfo<std::string>& info) {
  std::string name = info.param;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(Sotto, EveryElement, testing::ValuesIn(factories()), test_name);

}  // namespace
}  // namespace sotto
