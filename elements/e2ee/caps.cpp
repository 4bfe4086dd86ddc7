// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elements/e2ee/caps.h"

#include <string>

namespace sotto {
namespace {

constexpr const char* kField = "e2ee";
constexpr const char* kFormat = "sframe";
constexpr const char* kStrict = "application/x-e2ee";
constexpr const char* kOfDescription = "x-sotto-e2ee";  // As GStreamer names SDP attributes.
constexpr const char* kOriginal = "original-media-type";

}  // namespace

GType caps_mode_type() {
  static const GEnumValue kValues[] = {
      {static_cast<gint>(CapsMode::kCompatible), "The codec's caps with e2ee=sframe", "compatible"},
      {static_cast<gint>(CapsMode::kStrict), "application/x-e2ee", "strict"},
      {0, nullptr, nullptr}};
  static const GType kType = g_enum_register_static("GstE2eeCapsMode", kValues);
  return kType;
}

bool is_sealed(const GstStructure* caps) {
  return gst_structure_has_field(caps, kField) != FALSE ||
         gst_structure_has_name(caps, kStrict) != FALSE;
}

bool says_sealed(const GstCaps* caps) {
  if (caps == nullptr || gst_caps_is_any(caps) != FALSE) return false;
  for (guint i = 0; i < gst_caps_get_size(caps); ++i) {
    const auto* structure = gst_caps_get_structure(caps, i);
    if (is_sealed(structure) || gst_structure_has_field(structure, kOfDescription) != FALSE) {
      return true;
    }
  }
  return false;
}

std::optional<e2ee::Codec> codec_of(const GstCaps* caps) {
  const auto* structure = gst_caps_get_structure(caps, 0);
  const char* name = gst_structure_has_name(structure, kStrict) != FALSE
                         ? gst_structure_get_string(structure, kOriginal)
                         : gst_structure_get_name(structure);
  if (name == nullptr) return std::nullopt;
  const std::string type = name;
  if (type == "video/x-vp8") return e2ee::Codec::kVp8;
  if (type == "video/x-vp9") return e2ee::Codec::kVp9;
  if (type == "video/x-h264") return e2ee::Codec::kH264;
  if (type == "video/x-h265") return e2ee::Codec::kH265;
  if (type == "video/x-av1") return e2ee::Codec::kAv1;
  if (type == "audio/x-opus") return e2ee::Codec::kOpus;
  return std::nullopt;
}

GstCaps* sealed_caps(const GstCaps* caps, CapsMode mode) {
  GstCaps* out = gst_caps_new_empty();
  for (guint i = 0; i < gst_caps_get_size(caps); ++i) {
    const auto* in = gst_caps_get_structure(caps, i);
    if (is_sealed(in)) continue;
    auto* structure = gst_structure_copy(in);
    if (mode == CapsMode::kStrict) {
      gst_structure_set(structure, kOriginal, G_TYPE_STRING, gst_structure_get_name(in), nullptr);
      gst_structure_set_name(structure, kStrict);
    } else {
      gst_structure_set(structure, kField, G_TYPE_STRING, kFormat, nullptr);
    }
    gst_caps_append_structure(out, structure);
  }
  return out;
}

GstCaps* opened_caps(const GstCaps* caps) {
  GstCaps* out = gst_caps_new_empty();
  for (guint i = 0; i < gst_caps_get_size(caps); ++i) {
    auto* structure = gst_structure_copy(gst_caps_get_structure(caps, i));
    gst_structure_remove_field(structure, kField);
    if (gst_structure_has_name(structure, kStrict) == FALSE) {
      gst_caps_append_structure(out, structure);
      continue;
    }
    const GValue* original = gst_structure_get_value(structure, kOriginal);
    const auto append = [&](const GValue* value) {
      if (value == nullptr || !G_VALUE_HOLDS_STRING(value)) return;
      auto* one = gst_structure_copy(structure);
      gst_structure_set_name(one, g_value_get_string(value));
      gst_structure_remove_field(one, kOriginal);
      gst_caps_append_structure(out, one);
    };
    if (original != nullptr && GST_VALUE_HOLDS_LIST(original)) {
      for (guint j = 0; j < gst_value_list_get_size(original); ++j) {
        append(gst_value_list_get_value(original, j));
      }
    } else {
      append(original);
    }
    gst_structure_free(structure);
  }
  return out;
}

}  // namespace sotto
