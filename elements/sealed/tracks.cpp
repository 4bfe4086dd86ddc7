// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elements/sealed/tracks.h"

#include "elements/glue/gst_ptr.h"

namespace sotto {
namespace {

constexpr std::size_t kMappingHead = 3;  // Family, streams, coupled streams.

guint32 number(const GstStructure* caps, const char* field) {
  gint value = 0;
  gst_structure_get_int(caps, field, &value);
  return value < 0 ? 0 : static_cast<guint32>(value);
}

Bytes mapping_of(const GstStructure* caps) {
  Bytes out;
  const auto family = number(caps, "channel-mapping-family");
  const GValue* channels = gst_structure_get_value(caps, "channel-mapping");
  if (family == 0 || channels == nullptr || !GST_VALUE_HOLDS_ARRAY(channels)) return out;
  for (const auto value : {family, number(caps, "stream-count"), number(caps, "coupled-count")}) {
    out.push_back(static_cast<std::uint8_t>(value));
  }
  for (guint i = 0; i < gst_value_array_get_size(channels); ++i) {
    const GValue* value = gst_value_array_get_value(channels, i);
    if (!G_VALUE_HOLDS_INT(value)) return {};
    out.push_back(static_cast<std::uint8_t>(g_value_get_int(value)));
  }
  return out.size() > container::kMaxMapping ? Bytes{} : out;
}

const char* media_type(e2ee::Codec codec) {
  switch (codec) {
    case e2ee::Codec::kVp8: return "video/x-vp8";
    case e2ee::Codec::kVp9: return "video/x-vp9";
    case e2ee::Codec::kH264: return "video/x-h264";
    case e2ee::Codec::kH265: return "video/x-h265";
    case e2ee::Codec::kAv1: return "video/x-av1";
    case e2ee::Codec::kOpus: return "audio/x-opus";
  }
  return "";
}

void set_mapping(GstStructure* caps, const Bytes& mapping) {
  const bool given = mapping.size() > kMappingHead;
  gst_structure_set(caps, "channel-mapping-family", G_TYPE_INT, given ? gint{mapping[0]} : 0,
                    nullptr);
  if (!given) return;
  gst_structure_set(caps, "stream-count", G_TYPE_INT, gint{mapping[1]}, "coupled-count", G_TYPE_INT,
                    gint{mapping[2]}, nullptr);
  GValue channels = G_VALUE_INIT;
  gst_value_array_init(&channels, static_cast<guint>(mapping.size()));
  for (auto i = kMappingHead; i < mapping.size(); ++i) {
    GValue value = G_VALUE_INIT;
    g_value_init(&value, G_TYPE_INT);
    g_value_set_int(&value, mapping[i]);
    gst_value_array_append_and_take_value(&channels, &value);
  }
  gst_structure_take_value(caps, "channel-mapping", &channels);
}

}  // namespace

std::optional<container::Track> track_of(const GstCaps* caps) {
  const auto codec = codec_of(caps);
  if (!codec) return std::nullopt;
  const auto* structure = gst_caps_get_structure(caps, 0);
  container::Track out;
  out.codec = *codec;
  if (is_sound(out)) {
    out.rate = number(structure, "rate");
    out.channels = number(structure, "channels");
    out.mapping = mapping_of(structure);
  } else {
    out.width = number(structure, "width");
    out.height = number(structure, "height");
  }
  return out;
}

GstCaps* caps_of(const container::Track& track, CapsMode mode) {
  using e2ee::Codec;
  auto* structure = gst_structure_new_empty(media_type(track.codec));
  const auto set = [&](const char* field, guint32 value) {
    if (value == 0 || value > G_MAXINT) return;
    gst_structure_set(structure, field, G_TYPE_INT, static_cast<gint>(value), nullptr);
  };
  const bool nal = track.codec == Codec::kH264 || track.codec == Codec::kH265;
  if (nal || track.codec == Codec::kAv1) {
    gst_structure_set(structure, "stream-format", G_TYPE_STRING, nal ? "byte-stream" : "obu-stream",
                      "alignment", G_TYPE_STRING, nal ? "au" : "tu", nullptr);
  }
  set("width", track.width);
  set("height", track.height);
  set("rate", track.rate);
  set("channels", track.channels);
  if (is_sound(track)) set_mapping(structure, track.mapping);
  auto* open = gst_caps_new_full(structure, nullptr);
  auto* out = sealed_caps(open, mode);
  gst_caps_unref(open);
  return out;
}

}  // namespace sotto
