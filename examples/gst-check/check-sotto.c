/* SPDX-FileCopyrightText: The sotto authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * How to test pipelines of your own with GStreamer's libcheck harness, against the installed
 * plugin: plain C, nothing of this project's source. Every element of the plugin goes through the
 * same generic checks. Build it with the Makefile beside it, or with meson; run it with
 * GST_PLUGIN_PATH naming the folder of libgstsotto.so unless that is the system's.
 */
#include <gst/check/gstcheck.h>

static GList* plugin_features(void) {
  return gst_registry_get_feature_list_by_plugin(gst_registry_get(), "sotto");
}

static GstElement* make(GstPluginFeature* feature) {
  GstElement* element = gst_element_factory_make(gst_plugin_feature_get_name(feature), NULL);
  fail_unless(element != NULL, "%s cannot be made", gst_plugin_feature_get_name(feature));
  return element;
}

GST_START_TEST(plugin_describes_itself) {
  GstPlugin* plugin = gst_registry_find_plugin(gst_registry_get(), "sotto");
  fail_unless(plugin != NULL, "plugin sotto is not found; check GST_PLUGIN_PATH");
  fail_unless_equals_string(gst_plugin_get_license(plugin), "LGPL");
  gst_object_unref(plugin);
}
GST_END_TEST

GST_START_TEST(elements_have_pads_and_words) {
  GList* features = plugin_features();
  for (GList* item = features; item != NULL; item = item->next) {
    GstElementFactory* factory = GST_ELEMENT_FACTORY(item->data);
    const gchar* name = gst_plugin_feature_get_name(GST_PLUGIN_FEATURE(factory));
    fail_unless(gst_element_factory_get_num_pad_templates(factory) > 0, "%s has no pads", name);
    for (const gchar* key = "long-name"; key != NULL;
         key = g_str_equal(key, "long-name") ? "klass" : NULL) {
      const gchar* text = gst_element_factory_get_metadata(factory, key);
      fail_unless(text != NULL && *text != '\0', "%s says nothing as %s", name, key);
    }
  }
  gst_plugin_feature_list_free(features);
}
GST_END_TEST

/* Made and dropped, and up to READY and down again, twice: what a pipeline does to an element that
 * is never used. */
GST_START_TEST(elements_survive_state_changes) {
  GList* features = plugin_features();
  for (GList* item = features; item != NULL; item = item->next) {
    GstElement* element = make(GST_PLUGIN_FEATURE(item->data));
    for (int round = 0; round < 2; ++round) {
      fail_unless_equals_int(gst_element_set_state(element, GST_STATE_READY),
                             GST_STATE_CHANGE_SUCCESS);
      fail_unless_equals_int(gst_element_set_state(element, GST_STATE_NULL),
                             GST_STATE_CHANGE_SUCCESS);
    }
    ASSERT_OBJECT_REFCOUNT(element, "element", 1);
    gst_object_unref(element);
  }
  gst_plugin_feature_list_free(features);
}
GST_END_TEST

/* Every property that can be read gives its default, and has words for people. */
GST_START_TEST(properties_are_readable) {
  GList* features = plugin_features();
  for (GList* item = features; item != NULL; item = item->next) {
    GstElement* element = make(GST_PLUGIN_FEATURE(item->data));
    guint count = 0;
    GParamSpec** specs = g_object_class_list_properties(G_OBJECT_GET_CLASS(element), &count);
    for (guint i = 0; i < count; ++i) {
      const gchar* blurb = g_param_spec_get_blurb(specs[i]);
      fail_unless(blurb != NULL && *blurb != '\0', "%s does not explain %s",
                  GST_OBJECT_NAME(element), specs[i]->name);
      if ((specs[i]->flags & G_PARAM_READABLE) != 0) {
        GValue value = G_VALUE_INIT;
        g_value_init(&value, specs[i]->value_type);
        g_object_get_property(G_OBJECT(element), specs[i]->name, &value);
        g_value_unset(&value);
      }
    }
    g_free(specs);
    gst_object_unref(element);
  }
  gst_plugin_feature_list_free(features);
}
GST_END_TEST

/* Request pads come and go in any order. */
GST_START_TEST(request_pads_are_given_and_taken_back) {
  GList* features = plugin_features();
  for (GList* item = features; item != NULL; item = item->next) {
    GstElement* element = make(GST_PLUGIN_FEATURE(item->data));
    const GList* templates =
        gst_element_class_get_pad_template_list(GST_ELEMENT_GET_CLASS(element));
    for (; templates != NULL; templates = templates->next) {
      GstPadTemplate* pad_template = GST_PAD_TEMPLATE(templates->data);
      if (GST_PAD_TEMPLATE_PRESENCE(pad_template) != GST_PAD_REQUEST) continue;
      const gchar* name = GST_PAD_TEMPLATE_NAME_TEMPLATE(pad_template);
      GstPad* one = gst_element_request_pad_simple(element, name);
      GstPad* two = gst_element_request_pad_simple(element, name);
      fail_unless(one != NULL && two != NULL, "no pad for %s", name);
      gst_element_release_request_pad(element, one);
      gst_object_unref(one);
      gst_element_release_request_pad(element, two);
      gst_object_unref(two);
    }
    gst_object_unref(element);
  }
  gst_plugin_feature_list_free(features);
}
GST_END_TEST

static Suite* sotto_suite(void) {
  Suite* suite = suite_create("sotto");
  TCase* generic = tcase_create("generic");
  tcase_set_timeout(generic, 120);
  tcase_add_test(generic, plugin_describes_itself);
  tcase_add_test(generic, elements_have_pads_and_words);
  tcase_add_test(generic, elements_survive_state_changes);
  tcase_add_test(generic, properties_are_readable);
  tcase_add_test(generic, request_pads_are_given_and_taken_back);
  suite_add_tcase(suite, generic);
  return suite;
}

GST_CHECK_MAIN(sotto);
