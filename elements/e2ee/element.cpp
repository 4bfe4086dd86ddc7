// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elements/e2ee/element.h"

#include "elements/e2ee/agent_client.h"

#include <utility>

namespace sotto {

bool is_running(GstElement* element) {
  GST_OBJECT_LOCK(element);
  const bool running = GST_STATE(element) >= GST_STATE_PAUSED;
  GST_OBJECT_UNLOCK(element);
  return running;
}

Result<std::shared_ptr<AgentClient>> make_agent_client(
    GstElement* element, const std::string& address, agent::Role role,
    std::function<void(const agent::Message&)> received) {
  auto path = agent_path(address);
  if (!path) return tl::unexpected<Error>(path.error());
  auto changed = [element, was = -1](bool connected, const std::string& why) mutable {
    if (std::exchange(was, connected ? 1 : 0) == (connected ? 1 : 0)) return;
    post(element, gst_structure_new("key-agent", "connected", G_TYPE_BOOLEAN, gboolean{connected},
                                    "reason", G_TYPE_STRING, why.c_str(), nullptr));
  };
  return std::make_shared<AgentClient>(
      std::move(*path), role,
      AgentClient::Handlers{
          [received = std::move(received)](agent::Message message) { received(message); },
          std::move(changed)});
}

ByteView view_of(GBytes* bytes) {
  if (bytes == nullptr) return {};
  gsize size = 0;
  const auto* data = static_cast<const guint8*>(g_bytes_get_data(bytes, &size));
  return {data, size};
}

const sframe::SuiteInfo* suite_of(guint number) {
  return number > G_MAXUINT16 ? nullptr : sframe::find_suite(static_cast<guint16>(number));
}

void post_error(GstElement* element, const Error& error) {
  if (error.code == ErrorCode::kNotFound) {
    GST_ELEMENT_ERROR(element, RESOURCE, NOT_FOUND, ("%s", error.message.c_str()), (nullptr));
  } else {
    GST_ELEMENT_ERROR(element, RESOURCE, SETTINGS, ("%s", error.message.c_str()), (nullptr));
  }
}

void post(GstElement* element, GstStructure* structure) {
  gst_element_post_message(element, gst_message_new_element(GST_OBJECT(element), structure));
}

GstCaps* narrowed(GstCaps* caps, GstCaps* filter) {
  if (filter == nullptr) return caps;
  GstCaps* out = gst_caps_intersect_full(filter, caps, GST_CAPS_INTERSECT_FIRST);
  gst_caps_unref(caps);
  return out;
}

void set_path(GValue* value, const std::string& path) {
  g_value_set_string(value, path.empty() ? nullptr : path.c_str());
}

gboolean refuse_pools(GstBaseTransform* element, GstQuery* query) {
  (void)element;
  while (gst_query_get_n_allocation_pools(query) > 0) {
    gst_query_remove_nth_allocation_pool(query, 0);
  }
  return TRUE;
}

void install_secret(GObjectClass* klass, guint id, const char* name, const char* nick,
                    const char* blurb) {
  constexpr auto kFlags = static_cast<GParamFlags>(G_PARAM_WRITABLE | G_PARAM_STATIC_STRINGS |
                                                   GST_PARAM_MUTABLE_PLAYING);
  g_object_class_install_property(klass, id,
                                  g_param_spec_boxed(name, nick, blurb, G_TYPE_BYTES, kFlags));
}

void install_key_file(GObjectClass* klass, guint id, const char* name, const char* nick,
                      const char* blurb) {
  constexpr auto kFlags = static_cast<GParamFlags>(G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS |
                                                   GST_PARAM_MUTABLE_PLAYING);
  g_object_class_install_property(klass, id,
                                  g_param_spec_string(name, nick, blurb, nullptr, kFlags));
}

void install_key_signal(GType type, const char* name, GCallback handler) {
  g_signal_new_class_handler(
      name, type, static_cast<GSignalFlags>(G_SIGNAL_RUN_LAST | G_SIGNAL_ACTION), handler, nullptr,
      nullptr, nullptr, G_TYPE_BOOLEAN, 3, G_TYPE_UINT64, G_TYPE_UINT, G_TYPE_BYTES);
}

}  // namespace sotto
