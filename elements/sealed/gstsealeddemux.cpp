// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
/**
 * SECTION:element-sealed-demux
 * @title: sealed-demux
 * @short_description: Plays what sealed-mux has kept
 *
 * Reads a `*.sotto` file and gives its sealed frames, byte for byte as they were recorded, on a pad
 * per track: `video_0`, `video_1`…, `audio_0`… in the file's order. e2ee-decrypt opens them.
 *
 * |[
 *                            ┌ video_0 ─► queue ─► e2ee-decrypt ─► decoder
 *   filesrc ─► sealed-demux ─┤
 *                            └ audio_0 ─► queue ─► e2ee-decrypt ─► decoder
 * ]|
 *
 * A file whose index is missing or does not fit is walked through once at the start. Frames before
 * a damage are never lost; at the damage the stream ends with a warning. Seeking, with the rate 1,
 * goes to the keyframe at or before the time; e2ee-decrypt then accepts again what it has opened
 * before. Behind a source that cannot seek (fdsrc, a pipe) the file is played as it comes.
 *
 * ## Example
 * |[
 * gst-launch-1.0 filesrc location=test.sotto ! sealed-demux ! e2ee-decrypt key-file=test.key ! \
 *   vp8dec ! videoconvert ! autovideosink
 * ]|
 */
#include "elements/sealed/gstsealeddemux.h"

#include "core/container/reader.h"
#include "elements/e2ee/element.h"
#include "elements/glue/gst_ptr.h"
#include "elements/sealed/tracks.h"

#include <gst/base/gstflowcombiner.h>

#include <algorithm>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

GST_DEBUG_CATEGORY_STATIC(gst_sealed_demux_debug);
#define GST_CAT_DEFAULT gst_sealed_demux_debug

namespace {

using sotto::Bytes;
using sotto::ByteView;
using sotto::CapsMode;
using sotto::Error;
using sotto::ErrorCode;
using sotto::GstPtr;
using sotto::Result;
using sotto::container::Frame;
using sotto::container::Reader;
using sotto::container::Track;

enum Property { kPropCapsMode = 1, kPropStats };

constexpr auto kDefaultCapsMode = CapsMode::kCompatible;

GstStaticPadTemplate sink_template = GST_STATIC_PAD_TEMPLATE(
    "sink", GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS(SOTTO_SEALED_FILE_CAPS));
GstStaticPadTemplate video_template =
    GST_STATIC_PAD_TEMPLATE("video_%u", GST_PAD_SRC, GST_PAD_SOMETIMES,
                            GST_STATIC_CAPS(SOTTO_SEALED_CAPS "; " SOTTO_E2EE_STRICT_CAPS));
GstStaticPadTemplate audio_template = GST_STATIC_PAD_TEMPLATE(
    "audio_%u", GST_PAD_SRC, GST_PAD_SOMETIMES,
    GST_STATIC_CAPS("audio/x-opus, e2ee=(string)sframe; "
                    "application/x-e2ee, original-media-type=(string)audio/x-opus"));

/// The file behind a sink pad in pull mode.
class PadSource : public sotto::container::Source {
 public:
  explicit PadSource(GstPad* pad) : pad_(pad) {}
  Result<std::uint64_t> size() override {
    gint64 bytes = 0;
    if (gst_pad_peer_query_duration(pad_, GST_FORMAT_BYTES, &bytes) == FALSE || bytes < 0) {
      return sotto::fail(ErrorCode::kIo, "the source does not know its size");
    }
    return static_cast<std::uint64_t>(bytes);
  }
  Result<std::size_t> read(std::uint64_t offset, std::span<std::uint8_t> out) override {
    GstBuffer* buffer = nullptr;
    flow_ = gst_pad_pull_range(pad_, offset, static_cast<guint>(out.size()), &buffer);
    if (flow_ == GST_FLOW_EOS) {
      flow_ = GST_FLOW_OK;
      return 0;
    }
    if (flow_ != GST_FLOW_OK) return sotto::fail(ErrorCode::kIo, gst_flow_get_name(flow_));
    const auto held = GstPtr<GstBuffer>::adopt(buffer);
    return gst_buffer_extract(buffer, 0, out.data(), out.size());
  }
  /// Of the last read.
  GstFlowReturn flow() const { return flow_; }

 private:
  GstPad* pad_;
  GstFlowReturn flow_ = GST_FLOW_OK;
};

struct Output {
  GstPtr<GstPad> pad;
  bool discontinuous = true;
};

}  // namespace

struct GstSealedDemuxPrivate {
  GstPad* sink = nullptr;
  // Touched by the streaming thread, and under the sink pad's stream lock by who stopped it.
  std::unique_ptr<PadSource> source;
  std::optional<Reader> reader;
  std::vector<Output> outputs;  // One per track.
  std::unique_ptr<GstFlowCombiner, void (*)(GstFlowCombiner*)> flows{gst_flow_combiner_new(),
                                                                     gst_flow_combiner_free};
  Bytes pending;  // Push mode: what is not a whole record yet.
  std::size_t push_tracks = 0;
  bool push_begun = false;
  bool push_ended = false;
  bool push_eos_sent = false;
  bool segment_due = true;
  guint32 seqnum = GST_SEQNUM_INVALID;
  guint group = 0;
  std::mutex mutex;  // Protects what follows; nothing is pushed under it.
  GstSegment segment{};
  guint64 duration = 0;
  bool can_seek = false;
  CapsMode caps_mode = kDefaultCapsMode;
  guint64 frames = 0;
  bool rebuilt = false;
  bool damaged = false;
};

struct _GstSealedDemux {
  GstElement parent;
  GstSealedDemuxPrivate* priv;
};

G_DEFINE_FINAL_TYPE(GstSealedDemux, gst_sealed_demux, GST_TYPE_ELEMENT)
GST_ELEMENT_REGISTER_DEFINE(sealed_demux, "sealed-demux", GST_RANK_NONE, GST_TYPE_SEALED_DEMUX)

static gboolean gst_sealed_demux_src_event(GstPad* pad, GstObject* parent, GstEvent* event);
static gboolean gst_sealed_demux_src_query(GstPad* pad, GstObject* parent, GstQuery* query);

namespace {

bool push_event_to_all(GstSealedDemux* self, GstEvent* event) {
  bool any = false;
  for (const auto& output : self->priv->outputs) {
    any = gst_pad_push_event(output.pad.get(), gst_event_ref(event)) != FALSE || any;
  }
  gst_event_unref(event);
  return any;
}

GstEvent* stream_start(GstSealedDemux* self, GstPad* pad, std::size_t number) {
  g_autofree gchar* name = g_strdup_printf("%03" G_GSIZE_FORMAT, number);
  g_autofree gchar* id = gst_pad_create_stream_id(pad, GST_ELEMENT(self), name);
  auto* event = gst_event_new_stream_start(id);
  gst_event_set_group_id(event, self->priv->group);
  return event;
}

void add_output(GstSealedDemux* self, const Track& track) {
  auto& priv = *self->priv;
  const bool sound = is_sound(track);
  guint same_kind = 0;
  for (const auto& output : priv.outputs) {
    same_kind +=
        g_str_has_prefix(GST_PAD_NAME(output.pad.get()), sound ? "audio" : "video") != FALSE;
  }
  CapsMode mode{};
  {
    const std::lock_guard lock(priv.mutex);
    mode = priv.caps_mode;
  }
  g_autofree gchar* name = g_strdup_printf(sound ? "audio_%u" : "video_%u", same_kind);
  auto pad = GstPtr<GstPad>::sink(
      gst_pad_new_from_static_template(sound ? &audio_template : &video_template, name));
  gst_pad_set_event_function(pad.get(), GST_DEBUG_FUNCPTR(gst_sealed_demux_src_event));
  gst_pad_set_query_function(pad.get(), GST_DEBUG_FUNCPTR(gst_sealed_demux_src_query));
  gst_pad_use_fixed_caps(pad.get());
  gst_pad_set_active(pad.get(), TRUE);
  gst_pad_push_event(pad.get(), stream_start(self, pad.get(), priv.outputs.size()));
  auto* caps = sotto::caps_of(track, mode);
  gst_pad_push_event(pad.get(), gst_event_new_caps(caps));
  gst_caps_unref(caps);
  gst_flow_combiner_add_pad(priv.flows.get(), pad.get());
  gst_element_add_pad(GST_ELEMENT(self), pad.get());
  priv.outputs.push_back({pad, true});
  priv.segment_due = true;
}

void remove_outputs(GstSealedDemux* self) {
  auto& priv = *self->priv;
  for (const auto& output : priv.outputs) {
    gst_flow_combiner_remove_pad(priv.flows.get(), output.pad.get());
    gst_pad_set_active(output.pad.get(), FALSE);
    gst_element_remove_pad(GST_ELEMENT(self), output.pad.get());
  }
  priv.outputs.clear();
  gst_flow_combiner_reset(priv.flows.get());
}

void send_segment(GstSealedDemux* self) {
  auto& priv = *self->priv;
  if (!priv.segment_due || priv.outputs.empty()) return;
  GstEvent* event = nullptr;
  {
    const std::lock_guard lock(priv.mutex);
    event = gst_event_new_segment(&priv.segment);
  }
  if (priv.seqnum != GST_SEQNUM_INVALID) gst_event_set_seqnum(event, priv.seqnum);
  push_event_to_all(self, event);
  priv.segment_due = false;
}

GstFlowReturn push_frame(GstSealedDemux* self, const Frame& frame) {
  auto& priv = *self->priv;
  send_segment(self);
  auto& output = priv.outputs[frame.track];
  auto* buffer = gst_buffer_new_allocate(nullptr, frame.bytes.size(), nullptr);
  gst_buffer_fill(buffer, 0, frame.bytes.data(), frame.bytes.size());
  GST_BUFFER_PTS(buffer) = frame.pts;
  if (!frame.key) GST_BUFFER_FLAG_SET(buffer, GST_BUFFER_FLAG_DELTA_UNIT);
  if (std::exchange(output.discontinuous, false)) {
    GST_BUFFER_FLAG_SET(buffer, GST_BUFFER_FLAG_DISCONT);
  }
  {
    const std::lock_guard lock(priv.mutex);
    ++priv.frames;
    priv.segment.position = frame.pts;
  }
  const auto flow = gst_pad_push(output.pad.get(), buffer);
  return gst_flow_combiner_update_pad_flow(priv.flows.get(), output.pad.get(), flow);
}

void report_damage(GstSealedDemux* self, const std::string& what) {
  {
    const std::lock_guard lock(self->priv->mutex);
    if (std::exchange(self->priv->damaged, true)) return;
  }
  GST_ELEMENT_WARNING(self, STREAM, DEMUX, ("The file is damaged; this is what stands before."),
                      ("%s", what.c_str()));
}

/// Opens the file and shows its tracks; with the stream lock held.
Result<> open_file(GstSealedDemux* self) {
  auto& priv = *self->priv;
  auto reader = Reader::open(*priv.source);
  if (!reader) return tl::unexpected<Error>(reader.error());
  if (reader->tracks().empty()) return sotto::fail(ErrorCode::kInvalid, "the file has no tracks");
  priv.group = gst_util_group_id_next();
  {
    const std::lock_guard lock(priv.mutex);
    priv.duration = reader->index().last();
    priv.rebuilt = reader->rebuilt();
    priv.segment.duration = priv.duration;
  }
  for (const auto& track : reader->tracks()) add_output(self, track);
  priv.reader.emplace(std::move(*reader));
  gst_element_no_more_pads(GST_ELEMENT(self));
  return {};
}

void end_of_stream(GstSealedDemux* self) {
  auto& priv = *self->priv;
  if (priv.reader && priv.reader->damage()) report_damage(self, priv.reader->damage()->message);
  send_segment(self);
  bool wanted = false;
  gint64 at = 0;
  {
    const std::lock_guard lock(priv.mutex);
    wanted = (priv.segment.flags & GST_SEGMENT_FLAG_SEGMENT) != 0;
    at = static_cast<gint64>(priv.segment.position);
  }
  if (wanted) {
    gst_element_post_message(GST_ELEMENT(self),
                             gst_message_new_segment_done(GST_OBJECT(self), GST_FORMAT_TIME, at));
    push_event_to_all(self, gst_event_new_segment_done(GST_FORMAT_TIME, at));
    return;
  }
  auto* event = gst_event_new_eos();
  if (priv.seqnum != GST_SEQNUM_INVALID) gst_event_set_seqnum(event, priv.seqnum);
  push_event_to_all(self, event);
}

GstFlowReturn step(GstSealedDemux* self) {
  auto& priv = *self->priv;
  const auto broken = [&](const Error& error) {
    if (error.code == ErrorCode::kIo && priv.source->flow() != GST_FLOW_OK) {
      return priv.source->flow();
    }
    GST_ELEMENT_ERROR(self, STREAM, DEMUX, ("This file cannot be played."),
                      ("%s", error.message.c_str()));
    return GST_FLOW_ERROR;
  };
  if (!priv.reader) {
    if (const auto opened = open_file(self); !opened) return broken(opened.error());
  }
  const auto frame = priv.reader->next();
  if (!frame) return broken(frame.error());
  if (!*frame) return GST_FLOW_EOS;
  {
    const std::lock_guard lock(priv.mutex);
    if (GST_CLOCK_TIME_IS_VALID(priv.segment.stop) && (*frame)->pts > priv.segment.stop) {
      return GST_FLOW_EOS;
    }
  }
  return push_frame(self, **frame);
}

void loop(GstPad* pad) {
  auto* self = GST_SEALED_DEMUX(GST_PAD_PARENT(pad));
  const auto flow = step(self);
  if (flow == GST_FLOW_OK) return;
  gst_pad_pause_task(pad);
  if (flow == GST_FLOW_EOS) {
    end_of_stream(self);
  } else if (flow == GST_FLOW_NOT_LINKED || flow < GST_FLOW_EOS) {
    if (flow != GST_FLOW_ERROR) GST_ELEMENT_FLOW_ERROR(self, flow);
    push_event_to_all(self, gst_event_new_eos());
  }
}

/// Push mode: one record off the front; false when more bytes are needed.
Result<bool> take_record(GstSealedDemux* self, std::size_t& used, GstFlowReturn& flow) {
  auto& priv = *self->priv;
  const auto bytes = ByteView(priv.pending).subspan(used);
  auto parsed = sotto::container::parse_record(bytes, priv.push_tracks);
  if (!parsed) return tl::unexpected<Error>(parsed.error());
  if (!parsed->record) return false;
  if (!priv.push_begun) {
    if (!std::holds_alternative<sotto::container::FileHead>(*parsed->record)) {
      return sotto::fail(ErrorCode::kParse, "not a sealed file");
    }
    priv.push_begun = true;
    priv.group = gst_util_group_id_next();
  } else if (const auto* track = std::get_if<Track>(&*parsed->record)) {
    ++priv.push_tracks;
    add_output(self, *track);
  } else if (const auto* head = std::get_if<sotto::container::FrameHead>(&*parsed->record)) {
    if (bytes.size() < head->size()) return false;
    flow = push_frame(self, {head->track, head->pts, head->key, head->kid,
                             bytes.subspan(head->head_size, head->bytes_size)});
  } else if (std::holds_alternative<sotto::container::IndexMark>(*parsed->record)) {
    priv.push_ended = true;
    return false;
  } else {
    return sotto::fail(ErrorCode::kParse, "a second head in one file");
  }
  used += parsed->size;
  return true;
}

}  // namespace

static GstFlowReturn gst_sealed_demux_chain(GstPad* pad, GstObject* parent, GstBuffer* buffer) {
  (void)pad;
  auto* self = GST_SEALED_DEMUX(parent);
  auto& priv = *self->priv;
  const auto held = GstPtr<GstBuffer>::adopt(buffer);
  if (priv.push_ended) return GST_FLOW_OK;
  const auto before = priv.pending.size();
  priv.pending.resize(before + gst_buffer_get_size(buffer));
  gst_buffer_extract(buffer, 0, priv.pending.data() + before, priv.pending.size() - before);
  std::size_t used = 0;
  auto flow = GST_FLOW_OK;
  Result<bool> more = true;
  while (more && *more && flow == GST_FLOW_OK) more = take_record(self, used, flow);
  priv.pending.erase(priv.pending.begin(),
                     priv.pending.begin() + static_cast<std::ptrdiff_t>(used));
  if (more) return flow;
  priv.push_ended = true;
  if (priv.outputs.empty()) {
    GST_ELEMENT_ERROR(self, STREAM, WRONG_TYPE, ("This is not a sealed file."),
                      ("%s", more.error().message.c_str()));
    return GST_FLOW_ERROR;
  }
  report_damage(self, more.error().message);
  send_segment(self);
  priv.push_eos_sent = true;  // Upstream may have sent its own long ago, to a queue that gives up.
  push_event_to_all(self, gst_event_new_eos());
  return GST_FLOW_EOS;
}

static gboolean gst_sealed_demux_sink_event(GstPad* pad, GstObject* parent, GstEvent* event) {
  auto* self = GST_SEALED_DEMUX(parent);
  auto& priv = *self->priv;
  switch (GST_EVENT_TYPE(event)) {
    case GST_EVENT_EOS: {
      if (priv.push_eos_sent) {
        gst_event_unref(event);
        return TRUE;
      }
      if (!priv.push_ended && priv.push_begun) report_damage(self, "the file is cut off");
      if (priv.outputs.empty()) {
        GST_ELEMENT_ERROR(self, STREAM, WRONG_TYPE, ("This is not a sealed file."), (nullptr));
        gst_event_unref(event);
        return FALSE;
      }
      send_segment(self);
      return push_event_to_all(self, event) ? TRUE : FALSE;
    }
    case GST_EVENT_CAPS:
    case GST_EVENT_SEGMENT:
    case GST_EVENT_STREAM_START: gst_event_unref(event); return TRUE;  // We make our own.
    default: return gst_pad_event_default(pad, parent, event);
  }
}

static gboolean gst_sealed_demux_activate(GstPad* pad, GstObject* parent) {
  (void)parent;
  const auto query = GstPtr<GstQuery>::adopt(gst_query_new_scheduling());
  const bool pull = gst_pad_peer_query(pad, query.get()) != FALSE &&
                    gst_query_has_scheduling_mode_with_flags(query.get(), GST_PAD_MODE_PULL,
                                                             GST_SCHEDULING_FLAG_SEEKABLE) != FALSE;
  return gst_pad_activate_mode(pad, pull ? GST_PAD_MODE_PULL : GST_PAD_MODE_PUSH, TRUE);
}

static gboolean gst_sealed_demux_activate_mode(GstPad* pad, GstObject* parent, GstPadMode mode,
                                               gboolean active) {
  auto& priv = *GST_SEALED_DEMUX(parent)->priv;
  if (mode != GST_PAD_MODE_PULL) return mode == GST_PAD_MODE_PUSH ? TRUE : FALSE;
  if (active == FALSE) return gst_pad_stop_task(pad);
  {
    const std::lock_guard lock(priv.mutex);
    priv.can_seek = true;
  }
  return gst_pad_start_task(pad, reinterpret_cast<GstTaskFunction>(loop), pad, nullptr);
}

namespace {

bool seek(GstSealedDemux* self, GstEvent* event) {
  auto& priv = *self->priv;
  gdouble rate = 0;
  GstFormat format{};
  GstSeekFlags flags{};
  GstSeekType start_type{};
  GstSeekType stop_type{};
  gint64 start = 0;
  gint64 stop = 0;
  gst_event_parse_seek(event, &rate, &format, &flags, &start_type, &start, &stop_type, &stop);
  bool able = false;
  {
    const std::lock_guard lock(priv.mutex);
    able = priv.can_seek;
  }
  if (!able || format != GST_FORMAT_TIME || rate <= 0) return false;
  const bool flush = (flags & GST_SEEK_FLAG_FLUSH) != 0;
  const auto seqnum = gst_event_get_seqnum(event);
  const auto marked = [&](GstEvent* made) {
    gst_event_set_seqnum(made, seqnum);
    return made;
  };
  if (flush) {
    gst_pad_push_event(priv.sink, marked(gst_event_new_flush_start()));
    push_event_to_all(self, marked(gst_event_new_flush_start()));
  }
  gst_pad_pause_task(priv.sink);
  GST_PAD_STREAM_LOCK(priv.sink);
  if (flush) {
    // Also the source's: reading, which a flush forbids, is needed to find the place.
    gst_pad_push_event(priv.sink, marked(gst_event_new_flush_stop(TRUE)));
  }
  GstSegment wanted;
  {
    const std::lock_guard lock(priv.mutex);
    gst_segment_copy_into(&priv.segment, &wanted);
  }
  gst_segment_do_seek(&wanted, rate, format, flags, start_type, static_cast<guint64>(start),
                      stop_type, static_cast<guint64>(stop), nullptr);
  const bool done = priv.reader && priv.reader->seek(wanted.position);
  if (flush) push_event_to_all(self, marked(gst_event_new_flush_stop(TRUE)));
  if (done) {
    const std::lock_guard lock(priv.mutex);
    gst_segment_copy_into(&wanted, &priv.segment);
  }
  for (auto& output : priv.outputs) output.discontinuous = true;
  gst_flow_combiner_reset(priv.flows.get());
  priv.segment_due = true;
  priv.seqnum = seqnum;
  gst_pad_start_task(priv.sink, reinterpret_cast<GstTaskFunction>(loop), priv.sink, nullptr);
  GST_PAD_STREAM_UNLOCK(priv.sink);
  return done;
}

}  // namespace

static gboolean gst_sealed_demux_src_event(GstPad* pad, GstObject* parent, GstEvent* event) {
  if (GST_EVENT_TYPE(event) != GST_EVENT_SEEK) return gst_pad_event_default(pad, parent, event);
  const bool done = seek(GST_SEALED_DEMUX(parent), event);
  gst_event_unref(event);
  return done ? TRUE : FALSE;
}

static gboolean gst_sealed_demux_src_query(GstPad* pad, GstObject* parent, GstQuery* query) {
  auto& priv = *GST_SEALED_DEMUX(parent)->priv;
  GstFormat format{};
  switch (GST_QUERY_TYPE(query)) {
    case GST_QUERY_DURATION: {
      gst_query_parse_duration(query, &format, nullptr);
      const std::lock_guard lock(priv.mutex);
      if (format != GST_FORMAT_TIME || !priv.can_seek) return FALSE;
      gst_query_set_duration(query, format, static_cast<gint64>(priv.duration));
      return TRUE;
    }
    case GST_QUERY_POSITION: {
      gst_query_parse_position(query, &format, nullptr);
      const std::lock_guard lock(priv.mutex);
      if (format != GST_FORMAT_TIME) return FALSE;
      gst_query_set_position(query, format, static_cast<gint64>(priv.segment.position));
      return TRUE;
    }
    case GST_QUERY_SEEKING: {
      gst_query_parse_seeking(query, &format, nullptr, nullptr, nullptr);
      const std::lock_guard lock(priv.mutex);
      const bool able = format == GST_FORMAT_TIME && priv.can_seek;
      gst_query_set_seeking(query, format, able ? TRUE : FALSE, 0,
                            able ? static_cast<gint64>(priv.duration) : -1);
      return TRUE;
    }
    default: return gst_pad_query_default(pad, parent, query);
  }
}

namespace {

void reset(GstSealedDemux* self) {
  auto& priv = *self->priv;
  remove_outputs(self);
  priv.reader.reset();
  priv.source = std::make_unique<PadSource>(priv.sink);
  priv.pending = {};
  priv.push_tracks = 0;
  priv.push_begun = false;
  priv.push_ended = false;
  priv.push_eos_sent = false;
  priv.segment_due = true;
  priv.seqnum = GST_SEQNUM_INVALID;
  const std::lock_guard lock(priv.mutex);
  gst_segment_init(&priv.segment, GST_FORMAT_TIME);
  priv.duration = 0;
  priv.can_seek = false;
  priv.rebuilt = false;
  priv.damaged = false;
}

}  // namespace

static GstStateChangeReturn gst_sealed_demux_change_state(GstElement* element,
                                                          GstStateChange change) {
  auto* self = GST_SEALED_DEMUX(element);
  if (change == GST_STATE_CHANGE_READY_TO_PAUSED) reset(self);
  const auto done = GST_ELEMENT_CLASS(gst_sealed_demux_parent_class)->change_state(element, change);
  if (change == GST_STATE_CHANGE_PAUSED_TO_READY) reset(self);
  return done;
}

static void gst_sealed_demux_set_property(GObject* object, guint id, const GValue* value,
                                          GParamSpec* spec) {
  auto* priv = GST_SEALED_DEMUX(object)->priv;
  if (id != kPropCapsMode) {
    G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
    return;
  }
  const std::lock_guard lock(priv->mutex);
  priv->caps_mode = static_cast<CapsMode>(g_value_get_enum(value));
}

static void gst_sealed_demux_get_property(GObject* object, guint id, GValue* value,
                                          GParamSpec* spec) {
  auto* priv = GST_SEALED_DEMUX(object)->priv;
  const std::lock_guard lock(priv->mutex);
  switch (id) {
    case kPropCapsMode: g_value_set_enum(value, static_cast<gint>(priv->caps_mode)); break;
    case kPropStats:
      g_value_take_boxed(
          value, gst_structure_new("sealed-demux-stats", "frames", G_TYPE_UINT64, priv->frames,
                                   "index-rebuilt", G_TYPE_BOOLEAN, gboolean{priv->rebuilt},
                                   "damaged", G_TYPE_BOOLEAN, gboolean{priv->damaged}, nullptr));
      break;
    default: G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
  }
}

static void gst_sealed_demux_init(GstSealedDemux* self) {
  self->priv = new GstSealedDemuxPrivate;
  auto* sink = gst_pad_new_from_static_template(&sink_template, "sink");
  self->priv->sink = sink;
  gst_pad_set_activate_function(sink, GST_DEBUG_FUNCPTR(gst_sealed_demux_activate));
  gst_pad_set_activatemode_function(sink, GST_DEBUG_FUNCPTR(gst_sealed_demux_activate_mode));
  gst_pad_set_chain_function(sink, GST_DEBUG_FUNCPTR(gst_sealed_demux_chain));
  gst_pad_set_event_function(sink, GST_DEBUG_FUNCPTR(gst_sealed_demux_sink_event));
  gst_element_add_pad(GST_ELEMENT(self), sink);
}

static void gst_sealed_demux_finalize(GObject* object) {
  delete GST_SEALED_DEMUX(object)->priv;
  G_OBJECT_CLASS(gst_sealed_demux_parent_class)->finalize(object);
}

static void gst_sealed_demux_class_init(GstSealedDemuxClass* klass) {
  GST_DEBUG_CATEGORY_INIT(gst_sealed_demux_debug, "sealed-demux", 0, "Sealed frames out of files");
  auto* object_class = G_OBJECT_CLASS(klass);
  object_class->set_property = gst_sealed_demux_set_property;
  object_class->get_property = gst_sealed_demux_get_property;
  object_class->finalize = gst_sealed_demux_finalize;
  constexpr auto kRead = static_cast<GParamFlags>(G_PARAM_READABLE | G_PARAM_STATIC_STRINGS);
  constexpr auto kReady = static_cast<GParamFlags>(G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS |
                                                   GST_PARAM_MUTABLE_READY);
  g_object_class_install_property(
      object_class, kPropCapsMode,
      g_param_spec_enum("caps-mode", "Caps mode",
                        "compatible links to stock payloaders, strict to e2ee-decrypt only",
                        sotto::caps_mode_type(), static_cast<gint>(kDefaultCapsMode), kReady));
  g_object_class_install_property(
      object_class, kPropStats,
      g_param_spec_boxed("stats", "Statistics",
                         "frames; index-rebuilt: it was missing or did not fit; damaged: the "
                         "stream ended before the file",
                         GST_TYPE_STRUCTURE, kRead));
  auto* element_class = GST_ELEMENT_CLASS(klass);
  element_class->change_state = GST_DEBUG_FUNCPTR(gst_sealed_demux_change_state);
  gst_element_class_add_static_pad_template(element_class, &sink_template);
  gst_element_class_add_static_pad_template(element_class, &video_template);
  gst_element_class_add_static_pad_template(element_class, &audio_template);
  gst_element_class_set_static_metadata(
      element_class, "Sealed File Reader", "Codec/Demuxer",
      "Plays the streams of a *.sotto file; e2ee-decrypt opens them", "The sotto authors");
}
