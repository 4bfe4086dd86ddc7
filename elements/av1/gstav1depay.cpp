// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
/**
 * SECTION:element-sotto-rtpav1depay
 * @title: sotto-rtpav1depay
 * @short_description: Takes AV1 out of RTP packets (AOM, RTP Payload Format For AV1 1.0)
 *
 * Gives whole temporal units, each with a temporal delimiter in front and sizes in its OBUs. A unit
 * of which a packet is missing or malformed is dropped; the next one is marked as discontinuous.
 *
 * With `request-keyframe` a loss makes it ask the sender for a keyframe, again every half second
 * until one comes; with `wait-for-keyframe` nothing passes from the loss to that keyframe. whep-src
 * with `depayload` puts this element in and sets both.
 *
 * What e2ee-encrypt has sealed comes out for e2ee-decrypt; put no parser between the two.
 *
 * ## Example
 * |[
 * gst-launch-1.0 udpsrc port=5004 \
 *   caps="application/x-rtp,media=video,clock-rate=90000,encoding-name=AV1" ! \
 *   rtpjitterbuffer latency=50 ! sotto-rtpav1depay ! av1dec ! videoconvert ! autovideosink
 * ]|
 */
#include "elements/av1/gstav1depay.h"

#include "core/rtc/av1/depacketiser.h"

#include <gst/rtp/rtp.h>
#include <gst/video/video.h>

#include <cstring>
#include <mutex>

GST_DEBUG_CATEGORY_STATIC(gst_sotto_av1_depay_debug);
#define GST_CAT_DEFAULT gst_sotto_av1_depay_debug

namespace {

using sotto::rtc::av1::Depacketiser;

enum Property { kPropRequestKeyframe = 1, kPropWaitForKeyframe };

constexpr gboolean kDefaultRequestKeyframe = FALSE;
constexpr gboolean kDefaultWaitForKeyframe = FALSE;
constexpr gint64 kAskAgain = 500 * G_TIME_SPAN_MILLISECOND;  // The question may be lost, too.

GstStaticPadTemplate sink_template = GST_STATIC_PAD_TEMPLATE(
    "sink", GST_PAD_SINK, GST_PAD_ALWAYS,
    GST_STATIC_CAPS("application/x-rtp, media=(string)video, clock-rate=(int)90000, "
                    "encoding-name=(string)AV1"));
GstStaticPadTemplate src_template = GST_STATIC_PAD_TEMPLATE(
    "src", GST_PAD_SRC, GST_PAD_ALWAYS,
    GST_STATIC_CAPS("video/x-av1, stream-format=(string)obu-stream, alignment=(string)tu"));

}  // namespace

struct GstSottoAv1DepayPrivate {
  Depacketiser depacketiser;  // Of the streaming thread, as are the next two.
  bool waiting = true;        // For a keyframe: nothing came yet, or something was lost.
  gint64 next_question = 0;

  std::mutex mutex;  // Protects the properties.
  bool request_keyframe = kDefaultRequestKeyframe != FALSE;
  bool wait_for_keyframe = kDefaultWaitForKeyframe != FALSE;
};

struct _GstSottoAv1Depay {
  GstRTPBaseDepayload parent;
  GstSottoAv1DepayPrivate* priv;
};

G_DEFINE_FINAL_TYPE(GstSottoAv1Depay, gst_sotto_av1_depay, GST_TYPE_RTP_BASE_DEPAYLOAD)
GST_ELEMENT_REGISTER_DEFINE(sotto_rtpav1depay, "sotto-rtpav1depay", GST_RANK_NONE,
                            GST_TYPE_SOTTO_AV1_DEPAY)

namespace {

void reset(GstSottoAv1Depay* self) {
  self->priv->depacketiser.reset();
  self->priv->waiting = true;
  self->priv->next_question = 0;
}

void ask_for_keyframe(GstSottoAv1Depay* self) {
  {
    const std::lock_guard lock(self->priv->mutex);
    if (!self->priv->request_keyframe) return;
  }
  const auto now = g_get_monotonic_time();
  if (now < self->priv->next_question) return;
  self->priv->next_question = now + kAskAgain;
  gst_pad_push_event(GST_RTP_BASE_DEPAYLOAD_SINKPAD(self),
                     gst_video_event_new_upstream_force_key_unit(GST_CLOCK_TIME_NONE, TRUE, 0));
}

}  // namespace

static gboolean gst_sotto_av1_depay_set_caps(GstRTPBaseDepayload* base, GstCaps* caps) {
  (void)caps;
  GstCaps* out = gst_static_pad_template_get_caps(&src_template);
  const gboolean taken = gst_pad_set_caps(GST_RTP_BASE_DEPAYLOAD_SRCPAD(base), out);
  gst_caps_unref(out);
  return taken;
}

static GstBuffer* gst_sotto_av1_depay_process(GstRTPBaseDepayload* base, GstRTPBuffer* rtp) {
  auto* self = GST_SOTTO_AV1_DEPAY(base);
  auto& priv = *self->priv;
  const auto unit =
      priv.depacketiser.push({gst_rtp_buffer_get_seq(rtp),
                              gst_rtp_buffer_get_timestamp(rtp),
                              gst_rtp_buffer_get_marker(rtp) != FALSE,
                              {static_cast<const guint8*>(gst_rtp_buffer_get_payload(rtp)),
                               gst_rtp_buffer_get_payload_len(rtp)}});
  if (unit.keyframe) {
    priv.waiting = false;
    priv.next_question = 0;
  } else if (priv.depacketiser.gap() || unit.after_gap) {
    priv.waiting = true;
  }
  if (priv.waiting) ask_for_keyframe(self);
  if (unit.bytes.empty()) return nullptr;
  if (priv.waiting) {
    const std::lock_guard lock(priv.mutex);
    if (priv.wait_for_keyframe) return nullptr;
  }
  auto* out = gst_buffer_new_memdup(unit.bytes.data(), unit.bytes.size());
  if (!unit.keyframe) GST_BUFFER_FLAG_SET(out, GST_BUFFER_FLAG_DELTA_UNIT);
  if (unit.after_gap) GST_BUFFER_FLAG_SET(out, GST_BUFFER_FLAG_DISCONT);
  return out;
}

static gboolean gst_sotto_av1_depay_handle_event(GstRTPBaseDepayload* base, GstEvent* event) {
  if (GST_EVENT_TYPE(event) == GST_EVENT_FLUSH_STOP) reset(GST_SOTTO_AV1_DEPAY(base));
  return GST_RTP_BASE_DEPAYLOAD_CLASS(gst_sotto_av1_depay_parent_class)->handle_event(base, event);
}

static GstStateChangeReturn gst_sotto_av1_depay_change_state(GstElement* element,
                                                             GstStateChange transition) {
  if (transition == GST_STATE_CHANGE_READY_TO_PAUSED) reset(GST_SOTTO_AV1_DEPAY(element));
  return GST_ELEMENT_CLASS(gst_sotto_av1_depay_parent_class)->change_state(element, transition);
}

static void gst_sotto_av1_depay_set_property(GObject* object, guint id, const GValue* value,
                                             GParamSpec* spec) {
  auto* priv = GST_SOTTO_AV1_DEPAY(object)->priv;
  const std::lock_guard lock(priv->mutex);
  switch (id) {
    case kPropRequestKeyframe: priv->request_keyframe = g_value_get_boolean(value) != FALSE; break;
    case kPropWaitForKeyframe: priv->wait_for_keyframe = g_value_get_boolean(value) != FALSE; break;
    default: G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec); break;
  }
}

static void gst_sotto_av1_depay_get_property(GObject* object, guint id, GValue* value,
                                             GParamSpec* spec) {
  auto* priv = GST_SOTTO_AV1_DEPAY(object)->priv;
  const std::lock_guard lock(priv->mutex);
  switch (id) {
    case kPropRequestKeyframe:
      g_value_set_boolean(value, priv->request_keyframe ? TRUE : FALSE);
      break;
    case kPropWaitForKeyframe:
      g_value_set_boolean(value, priv->wait_for_keyframe ? TRUE : FALSE);
      break;
    default: G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec); break;
  }
}

static void gst_sotto_av1_depay_init(GstSottoAv1Depay* self) {
  self->priv = new GstSottoAv1DepayPrivate;
}

static void gst_sotto_av1_depay_finalize(GObject* object) {
  delete GST_SOTTO_AV1_DEPAY(object)->priv;
  G_OBJECT_CLASS(gst_sotto_av1_depay_parent_class)->finalize(object);
}

static void gst_sotto_av1_depay_class_init(GstSottoAv1DepayClass* klass) {
  GST_DEBUG_CATEGORY_INIT(gst_sotto_av1_depay_debug, "sotto-rtpav1depay", 0, "AV1 RTP depayloader");
  auto* object_class = G_OBJECT_CLASS(klass);
  object_class->set_property = gst_sotto_av1_depay_set_property;
  object_class->get_property = gst_sotto_av1_depay_get_property;
  object_class->finalize = gst_sotto_av1_depay_finalize;
  // Named and meant as in GStreamer's own depayloaders.
  constexpr auto kFlags = static_cast<GParamFlags>(G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS |
                                                   GST_PARAM_MUTABLE_PLAYING);
  g_object_class_install_property(
      object_class, kPropRequestKeyframe,
      g_param_spec_boolean("request-keyframe", "Request keyframe",
                           "Ask the sender for a keyframe at the start and after a loss",
                           kDefaultRequestKeyframe, kFlags));
  g_object_class_install_property(
      object_class, kPropWaitForKeyframe,
      g_param_spec_boolean("wait-for-keyframe", "Wait for keyframe",
                           "Give nothing before a keyframe, at the start and after a loss",
                           kDefaultWaitForKeyframe, kFlags));
  auto* base_class = GST_RTP_BASE_DEPAYLOAD_CLASS(klass);
  base_class->set_caps = GST_DEBUG_FUNCPTR(gst_sotto_av1_depay_set_caps);
  base_class->process_rtp_packet = GST_DEBUG_FUNCPTR(gst_sotto_av1_depay_process);
  base_class->handle_event = GST_DEBUG_FUNCPTR(gst_sotto_av1_depay_handle_event);
  auto* element_class = GST_ELEMENT_CLASS(klass);
  element_class->change_state = GST_DEBUG_FUNCPTR(gst_sotto_av1_depay_change_state);
  gst_element_class_add_static_pad_template(element_class, &sink_template);
  gst_element_class_add_static_pad_template(element_class, &src_template);
  gst_element_class_set_static_metadata(element_class, "AV1 RTP Depayloader",
                                        "Codec/Depayloader/Network/RTP",
                                        "Takes AV1 out of RTP packets (AOM, RTP Payload Format "
                                        "For AV1 1.0)",
                                        "The sotto authors");
}
