// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
/**
 * SECTION:element-sealed-mux
 * @title: sealed-mux
 * @short_description: Puts sealed streams into a file without having their keys
 *
 * Takes what e2ee-encrypt makes, of any of its codecs, pictures and sound, and writes a `*.sotto`
 * file: an append-only sequence of sealed frames, with an index at the end
 * (`docs/encodings.md`, "Sealed files"). sealed-demux plays it where the keys are.
 *
 * |[
 *   e2ee-encrypt ─► sink_0 ┐
 *                          ├ sealed-mux ─► filesink buffer-mode=unbuffered
 *   e2ee-encrypt ─► sink_1 ┘
 * ]|
 *
 * Every record leaves in one buffer. With `filesink buffer-mode=unbuffered` a process that is
 * killed loses the record it was writing and the index, which a reader makes anew; with filesink's
 * default it loses what was buffered, 64 KiB or so.
 *
 * The pads take caps that are marked as sealed. A depayloader loses the mark:
 * `accept-unmarked=true` takes its streams too, and then what is not sealed is kept as it comes
 * whenever it has the form of a sealed frame. Frames without that form are dropped and counted as
 * `refused`.
 *
 * ## Examples
 * |[
 * gst-launch-1.0 -e videotestsrc num-buffers=300 ! vp8enc deadline=1 keyframe-max-dist=60 ! \
 *   e2ee-encrypt key-file=test.key ! sealed-mux ! \
 *   filesink buffer-mode=unbuffered location=test.sotto
 * ]| Seals and keeps a picture.
 * |[
 * gst-launch-1.0 -e whep-src location=http://localhost:8080/whep/test ! rtpvp8depay ! \
 *   sealed-mux accept-unmarked=true ! filesink buffer-mode=unbuffered location=test.sotto
 * ]| Keeps a sealed stream of a server on a machine that has no key.
 */
#include "elements/sealed/gstsealedmux.h"

#include "core/container/writer.h"
#include "elements/e2ee/buffer.h"
#include "elements/e2ee/element.h"
#include "elements/sealed/tracks.h"

#include <mutex>
#include <optional>

GST_DEBUG_CATEGORY_STATIC(gst_sealed_mux_debug);
#define GST_CAT_DEFAULT gst_sealed_mux_debug

namespace {

using sotto::Bytes;
using sotto::ByteView;
using sotto::GstPtr;
using sotto::container::Track;
using sotto::container::Writer;

enum Property { kPropAcceptUnmarked = 1, kPropStats };

constexpr gboolean kDefaultAcceptUnmarked = FALSE;

GstStaticPadTemplate sink_template = GST_STATIC_PAD_TEMPLATE(
    "sink_%u", GST_PAD_SINK, GST_PAD_REQUEST,
    GST_STATIC_CAPS(SOTTO_SEALED_CAPS "; " SOTTO_E2EE_STRICT_CAPS "; " SOTTO_E2EE_CODEC_CAPS));
GstStaticPadTemplate src_template = GST_STATIC_PAD_TEMPLATE(
    "src", GST_PAD_SRC, GST_PAD_ALWAYS, GST_STATIC_CAPS(SOTTO_SEALED_FILE_CAPS));
GstStaticCaps marked_caps = GST_STATIC_CAPS(SOTTO_SEALED_CAPS "; " SOTTO_E2EE_STRICT_CAPS);

/// What a pad brings; lives as long as the pad.
struct Stream {
  std::optional<Track> track;
  std::optional<guint32> number;  // Once it is in the file.
};

Stream& stream_of(GstAggregatorPad* pad) {
  static const GQuark kName = g_quark_from_static_string("sotto-sealed-stream");
  auto* stream = static_cast<Stream*>(g_object_get_qdata(G_OBJECT(pad), kName));
  if (stream == nullptr) {
    stream = new Stream;
    g_object_set_qdata_full(G_OBJECT(pad), kName, stream,
                            [](gpointer self) { delete static_cast<Stream*>(self); });
  }
  return *stream;
}

struct Stats {
  guint64 frames = 0;
  guint64 refused = 0;
};

}  // namespace

struct GstSealedMuxPrivate {
  std::mutex mutex;  // Protects everything below and all streams; nothing is pushed under it.
  gboolean accept_unmarked = kDefaultAcceptUnmarked;
  std::optional<Writer> writer;  // Since the head was made.
  GstClockTime base = 0;         // Running time of the first frame.
  guint64 last_pts = 0;
  Stats stats;
  Bytes scratch;
  sotto::Limiter warned;
};

struct _GstSealedMux {
  GstAggregator parent;
  GstSealedMuxPrivate* priv;
};

G_DEFINE_FINAL_TYPE(GstSealedMux, gst_sealed_mux, GST_TYPE_AGGREGATOR)
GST_ELEMENT_REGISTER_DEFINE(sealed_mux, "sealed-mux", GST_RANK_NONE, GST_TYPE_SEALED_MUX)

namespace {

GstPtr<GstBuffer> buffer_of(const Bytes& bytes) {
  auto* out = gst_buffer_new_allocate(nullptr, bytes.size(), nullptr);
  gst_buffer_fill(out, 0, bytes.data(), bytes.size());
  return GstPtr<GstBuffer>::adopt(out);
}

/// Where on the time line of the pipeline a buffer stands; none when it does not say.
GstClockTime running_time(GstAggregatorPad* pad, GstBuffer* buffer) {
  const auto time =
      GST_BUFFER_PTS_IS_VALID(buffer) ? GST_BUFFER_PTS(buffer) : GST_BUFFER_DTS(buffer);
  if (!GST_CLOCK_TIME_IS_VALID(time)) return GST_CLOCK_TIME_NONE;
  guint64 running = 0;
  const gint sign =
      gst_segment_to_running_time_full(&pad->segment, GST_FORMAT_TIME, time, &running);
  return sign > 0 ? running : 0;  // What lies before the segment begins with it.
}

/// The pads, each with a reference of ours.
GList* pads_of(GstElement* element) {
  GST_OBJECT_LOCK(element);
  GList* pads = g_list_copy_deep(
      element->sinkpads, [](gconstpointer pad, gpointer) { return gst_object_ref(gpointer(pad)); },
      nullptr);
  GST_OBJECT_UNLOCK(element);
  return pads;
}

void free_pads(GList* pads) { g_list_free_full(pads, gst_object_unref); }

struct Next {
  GstPtr<GstAggregatorPad> pad;
  GstClockTime time = 0;
  bool ended = true;  // Every pad.
};

/// The pad whose next frame is due first.
Next next_of(GstSealedMux* self) {
  Next out;
  GList* pads = pads_of(GST_ELEMENT(self));
  if (pads == nullptr) out.ended = false;
  for (GList* item = pads; item != nullptr; item = item->next) {
    auto* pad = GST_AGGREGATOR_PAD(item->data);
    const auto buffer = GstPtr<GstBuffer>::adopt(gst_aggregator_pad_peek_buffer(pad));
    if (!buffer) {
      out.ended = out.ended && gst_aggregator_pad_is_eos(pad) != FALSE;
      continue;
    }
    out.ended = false;
    auto time = running_time(pad, buffer.get());
    if (!GST_CLOCK_TIME_IS_VALID(time)) time = 0;
    if (!out.pad || time < out.time) {
      out.pad = GstPtr<GstAggregatorPad>::ref(pad);
      out.time = time;
    }
  }
  free_pads(pads);
  return out;
}

/// What has to stand in the file before a frame of any pad; with the lock held.
Bytes announce(GstSealedMux* self, GstClockTime now) {
  auto& priv = *self->priv;
  Bytes out;
  if (!priv.writer) {
    priv.writer.emplace();
    priv.base = now;
    out = priv.writer->begin({static_cast<guint64>(g_get_real_time() / 1000)});
  }
  GList* pads = pads_of(GST_ELEMENT(self));
  for (GList* item = pads; item != nullptr; item = item->next) {
    auto& stream = stream_of(GST_AGGREGATOR_PAD(item->data));
    if (!stream.track || stream.number) continue;
    auto added = priv.writer->add(*stream.track);
    if (!added) {
      GST_WARNING_OBJECT(self, "no track: %s", added.error().message.c_str());
      continue;
    }
    stream.number = added->track;
    out.insert(out.end(), added->bytes.begin(), added->bytes.end());
  }
  free_pads(pads);
  return out;
}

/// A frame as it goes into the file; null when it is none.
GstPtr<GstBuffer> record_of(GstSealedMux* self, GstAggregatorPad* pad, GstBuffer* buffer,
                            GstClockTime time, Bytes& before) {
  const sotto::MappedBuffer frame(buffer);
  auto& priv = *self->priv;
  const std::lock_guard lock(priv.mutex);
  before = announce(self, time);
  const auto& stream = stream_of(pad);
  if (!frame || !stream.number) return nullptr;
  const auto seen = sotto::e2ee::look_at(stream.track->codec, frame.view(), priv.scratch);
  if (!seen) return nullptr;
  const auto pts = GST_CLOCK_TIME_IS_VALID(time) && time >= priv.base ? time - priv.base
                   : GST_CLOCK_TIME_IS_VALID(time)                    ? 0
                                                                      : priv.last_pts;
  const auto head =
      priv.writer->append({*stream.number, pts, seen->keyframe, seen->kid, frame.view()});
  if (!head) return nullptr;
  priv.last_pts = pts;
  ++priv.stats.frames;
  auto* out = buffer_of(*head).release();
  if (!seen->keyframe) GST_BUFFER_FLAG_SET(out, GST_BUFFER_FLAG_DELTA_UNIT);
  GST_BUFFER_PTS(out) = pts;
  // One buffer, so one write; the frame's own memory is not copied.
  return GstPtr<GstBuffer>::adopt(gst_buffer_append(out, gst_buffer_ref(buffer)));
}

void refuse(GstSealedMux* self) {
  guint64 count = 0;
  {
    const std::lock_guard lock(self->priv->mutex);
    ++self->priv->stats.refused;
    count = self->priv->warned.pass();
  }
  if (count == 0) return;
  GST_ELEMENT_WARNING(self, STREAM, FORMAT, ("What is not sealed is not kept."),
                      ("%" G_GUINT64_FORMAT " buffers had not the form of a sealed frame", count));
}

GstFlowReturn push(GstSealedMux* self, GstPtr<GstBuffer> buffer) {
  return gst_aggregator_finish_buffer(GST_AGGREGATOR(self), buffer.release());
}

GstFlowReturn finish(GstSealedMux* self) {
  Bytes end;
  {
    const std::lock_guard lock(self->priv->mutex);
    end = announce(self, 0);
    const auto more = self->priv->writer->finish();
    end.insert(end.end(), more.begin(), more.end());
  }
  const auto flow = push(self, buffer_of(end));
  return flow == GST_FLOW_OK ? GST_FLOW_EOS : flow;
}

}  // namespace

static GstFlowReturn gst_sealed_mux_aggregate(GstAggregator* aggregator, gboolean timeout) {
  auto* self = GST_SEALED_MUX(aggregator);
  (void)timeout;  // Whoever has a frame is not kept waiting for those who have none.
  const auto next = next_of(self);
  if (next.ended) return finish(self);
  if (!next.pad) return GST_AGGREGATOR_FLOW_NEED_DATA;
  const auto buffer = GstPtr<GstBuffer>::adopt(gst_aggregator_pad_pop_buffer(next.pad.get()));
  if (!buffer) return GST_FLOW_OK;
  Bytes before;
  auto record = record_of(self, next.pad.get(), buffer.get(),
                          running_time(next.pad.get(), buffer.get()), before);
  if (!before.empty()) {
    const auto flow = push(self, buffer_of(before));
    if (flow != GST_FLOW_OK) return flow;
  }
  if (record) return push(self, std::move(record));
  refuse(self);
  return GST_FLOW_OK;
}

static GstClockTime gst_sealed_mux_get_next_time(GstAggregator* aggregator) {
  const auto next = next_of(GST_SEALED_MUX(aggregator));
  return next.pad ? next.time : GST_CLOCK_TIME_NONE;
}

static gboolean gst_sealed_mux_sink_event(GstAggregator* aggregator, GstAggregatorPad* pad,
                                          GstEvent* event) {
  auto* self = GST_SEALED_MUX(aggregator);
  if (GST_EVENT_TYPE(event) == GST_EVENT_CAPS) {
    GstCaps* caps = nullptr;
    gst_event_parse_caps(event, &caps);
    const auto track = sotto::track_of(caps);
    const std::lock_guard lock(self->priv->mutex);
    auto& stream = stream_of(pad);
    const bool same = !stream.number || (track && stream.track->codec == track->codec);
    if (!track || !same) {
      GST_WARNING_OBJECT(pad, "a track keeps its codec: %" GST_PTR_FORMAT " is refused", caps);
      gst_event_unref(event);
      return FALSE;
    }
    if (!stream.number) stream.track = *track;
  }
  return GST_AGGREGATOR_CLASS(gst_sealed_mux_parent_class)->sink_event(aggregator, pad, event);
}

static gboolean gst_sealed_mux_sink_query(GstAggregator* aggregator, GstAggregatorPad* pad,
                                          GstQuery* query) {
  if (GST_QUERY_TYPE(query) != GST_QUERY_CAPS) {
    return GST_AGGREGATOR_CLASS(gst_sealed_mux_parent_class)->sink_query(aggregator, pad, query);
  }
  auto* priv = GST_SEALED_MUX(aggregator)->priv;
  bool all = false;
  {
    const std::lock_guard lock(priv->mutex);
    all = priv->accept_unmarked != FALSE;
  }
  GstCaps* filter = nullptr;
  gst_query_parse_caps(query, &filter);
  GstCaps* caps =
      all ? gst_pad_get_pad_template_caps(GST_PAD(pad)) : gst_static_caps_get(&marked_caps);
  caps = sotto::narrowed(caps, filter);
  gst_query_set_caps_result(query, caps);
  gst_caps_unref(caps);
  return TRUE;
}

static gboolean gst_sealed_mux_stop(GstAggregator* aggregator) {
  auto* self = GST_SEALED_MUX(aggregator);
  GList* pads = pads_of(GST_ELEMENT(self));
  {
    const std::lock_guard lock(self->priv->mutex);
    for (GList* item = pads; item != nullptr; item = item->next) {
      stream_of(GST_AGGREGATOR_PAD(item->data)) = {};
    }
    self->priv->writer.reset();
    self->priv->last_pts = 0;
    self->priv->warned.reset();
  }
  free_pads(pads);
  return TRUE;
}

static void gst_sealed_mux_set_property(GObject* object, guint id, const GValue* value,
                                        GParamSpec* spec) {
  auto* priv = GST_SEALED_MUX(object)->priv;
  if (id != kPropAcceptUnmarked) {
    G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
    return;
  }
  const std::lock_guard lock(priv->mutex);
  priv->accept_unmarked = g_value_get_boolean(value);
}

static void gst_sealed_mux_get_property(GObject* object, guint id, GValue* value,
                                        GParamSpec* spec) {
  auto* priv = GST_SEALED_MUX(object)->priv;
  const std::lock_guard lock(priv->mutex);
  switch (id) {
    case kPropAcceptUnmarked: g_value_set_boolean(value, priv->accept_unmarked); break;
    case kPropStats:
      g_value_take_boxed(
          value,
          gst_structure_new("sealed-mux-stats", "frames", G_TYPE_UINT64, priv->stats.frames,
                            "refused", G_TYPE_UINT64, priv->stats.refused, "bytes", G_TYPE_UINT64,
                            static_cast<guint64>(priv->writer ? priv->writer->size() : 0), "tracks",
                            G_TYPE_UINT64,
                            static_cast<guint64>(priv->writer ? priv->writer->index().tracks() : 0),
                            nullptr));
      break;
    default: G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
  }
}

static void gst_sealed_mux_init(GstSealedMux* self) {
  self->priv = new GstSealedMuxPrivate;
  // A track may begin whenever it likes.
  gst_aggregator_set_ignore_inactive_pads(GST_AGGREGATOR(self), TRUE);
}

static void gst_sealed_mux_finalize(GObject* object) {
  delete GST_SEALED_MUX(object)->priv;
  G_OBJECT_CLASS(gst_sealed_mux_parent_class)->finalize(object);
}

static void gst_sealed_mux_class_init(GstSealedMuxClass* klass) {
  GST_DEBUG_CATEGORY_INIT(gst_sealed_mux_debug, "sealed-mux", 0, "Sealed frames into files");
  auto* object_class = G_OBJECT_CLASS(klass);
  object_class->set_property = gst_sealed_mux_set_property;
  object_class->get_property = gst_sealed_mux_get_property;
  object_class->finalize = gst_sealed_mux_finalize;
  constexpr auto kRead = static_cast<GParamFlags>(G_PARAM_READABLE | G_PARAM_STATIC_STRINGS);
  constexpr auto kReady = static_cast<GParamFlags>(G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS |
                                                   GST_PARAM_MUTABLE_READY);
  g_object_class_install_property(
      object_class, kPropAcceptUnmarked,
      g_param_spec_boolean("accept-unmarked", "Accept unmarked",
                           "Take streams whose caps do not say that they are sealed, as they come "
                           "from a depayloader; for what you know to be sealed",
                           kDefaultAcceptUnmarked, kReady));
  g_object_class_install_property(
      object_class, kPropStats,
      g_param_spec_boxed("stats", "Statistics",
                         "frames, refused (had not the form of a sealed frame), bytes, tracks",
                         GST_TYPE_STRUCTURE, kRead));
  auto* aggregator_class = GST_AGGREGATOR_CLASS(klass);
  aggregator_class->aggregate = GST_DEBUG_FUNCPTR(gst_sealed_mux_aggregate);
  aggregator_class->get_next_time = GST_DEBUG_FUNCPTR(gst_sealed_mux_get_next_time);
  aggregator_class->sink_event = GST_DEBUG_FUNCPTR(gst_sealed_mux_sink_event);
  aggregator_class->sink_query = GST_DEBUG_FUNCPTR(gst_sealed_mux_sink_query);
  aggregator_class->stop = GST_DEBUG_FUNCPTR(gst_sealed_mux_stop);
  auto* element_class = GST_ELEMENT_CLASS(klass);
  gst_element_class_add_static_pad_template_with_gtype(element_class, &sink_template,
                                                       GST_TYPE_AGGREGATOR_PAD);
  gst_element_class_add_static_pad_template_with_gtype(element_class, &src_template,
                                                       GST_TYPE_AGGREGATOR_PAD);
  gst_element_class_set_static_metadata(
      element_class, "Sealed File Writer", "Codec/Muxer",
      "Keeps streams encrypted end to end in a *.sotto file, without their keys",
      "The sotto authors");
}
