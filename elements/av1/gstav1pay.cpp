// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
/**
 * SECTION:element-sotto-rtpav1pay
 * @title: sotto-rtpav1pay
 * @short_description: Puts AV1 into RTP packets (AOM, RTP Payload Format For AV1 1.0)
 *
 * Takes temporal units, as av1parse behind av1enc gives them, open or sealed by e2ee-encrypt, and
 * makes packets of at most `mtu` bytes. Temporal delimiters and the OBUs' own sizes stay behind.
 * whip-sink puts it in by itself; Debian 12 has no other. Where the one of gst-plugins-rs is
 * installed too (rtpav1pay), either does.
 *
 * |[
 *   av1enc ─► (e2ee-encrypt) ─► sotto-rtpav1pay ─► … ─► sotto-rtpav1depay ─► (e2ee-decrypt) ─►
 * av1dec
 * ]|
 *
 * av1enc is slow at its defaults; `usage-profile=realtime cpu-used=8` makes it fit for live
 * pictures.
 *
 * ## Example
 * |[
 * gst-launch-1.0 videotestsrc num-buffers=60 ! video/x-raw,format=I420,width=192,height=144 ! \
 *   av1enc usage-profile=realtime cpu-used=8 keyframe-max-dist=30 ! av1parse ! \
 *   sotto-rtpav1pay mtu=1200 ! sotto-rtpav1depay ! av1dec ! fakesink
 * ]|
 */
#include "elements/av1/gstav1pay.h"

#include "core/rtc/av1/packetiser.h"
#include "elements/glue/gst_ptr.h"

#include <gst/rtp/rtp.h>

GST_DEBUG_CATEGORY_STATIC(gst_sotto_av1_pay_debug);
#define GST_CAT_DEFAULT gst_sotto_av1_pay_debug

namespace {

using sotto::GstPtr;
using sotto::rtc::av1::kMinPayload;
using sotto::rtc::av1::Packetiser;

GstStaticPadTemplate sink_template = GST_STATIC_PAD_TEMPLATE(
    "sink", GST_PAD_SINK, GST_PAD_ALWAYS,
    GST_STATIC_CAPS("video/x-av1, stream-format=(string)obu-stream, alignment=(string)tu"));
GstStaticPadTemplate src_template = GST_STATIC_PAD_TEMPLATE(
    "src", GST_PAD_SRC, GST_PAD_ALWAYS,
    GST_STATIC_CAPS("application/x-rtp, media=(string)video, payload=(int)[ 96, 127 ], "
                    "clock-rate=(int)90000, encoding-name=(string)AV1"));

}  // namespace

struct GstSottoAv1PayPrivate {
  Packetiser packetiser;  // Of the streaming thread.
};

struct _GstSottoAv1Pay {
  GstRTPBasePayload parent;
  GstSottoAv1PayPrivate* priv;
};

G_DEFINE_FINAL_TYPE(GstSottoAv1Pay, gst_sotto_av1_pay, GST_TYPE_RTP_BASE_PAYLOAD)
GST_ELEMENT_REGISTER_DEFINE(sotto_rtpav1pay, "sotto-rtpav1pay", GST_RANK_NONE,
                            GST_TYPE_SOTTO_AV1_PAY)

static gboolean gst_sotto_av1_pay_set_caps(GstRTPBasePayload* base, GstCaps* caps) {
  gst_rtp_base_payload_set_options(base, "video", TRUE, "AV1", 90000);
  // Profile 0 is what a receiver assumes (section 7.2.3), and all that browsers decode.
  const char* profile = gst_structure_get_string(gst_caps_get_structure(caps, 0), "profile");
  const char* number = g_strcmp0(profile, "high") == 0           ? "1"
                       : g_strcmp0(profile, "professional") == 0 ? "2"
                                                                 : nullptr;
  if (number == nullptr) return gst_rtp_base_payload_set_outcaps(base, nullptr);
  return gst_rtp_base_payload_set_outcaps(base, "profile", G_TYPE_STRING, number, nullptr);
}

static GstFlowReturn gst_sotto_av1_pay_handle_buffer(GstRTPBasePayload* base, GstBuffer* taken) {
  auto* self = GST_SOTTO_AV1_PAY(base);
  auto& packetiser = self->priv->packetiser;
  const auto buffer = GstPtr<GstBuffer>::adopt(taken);
  const guint room = gst_rtp_buffer_calc_payload_len(GST_RTP_BASE_PAYLOAD_MTU(base), 0, 0);
  if (room < kMinPayload) {
    GST_ELEMENT_ERROR(self, LIBRARY, SETTINGS, ("The mtu is too small for AV1."),
                      ("%u bytes are left of it, %zu are needed", room, kMinPayload));
    return GST_FLOW_ERROR;
  }
  GstMapInfo unit;
  if (gst_buffer_map(buffer.get(), &unit, GST_MAP_READ) == FALSE) {
    GST_ELEMENT_ERROR(self, RESOURCE, READ, (nullptr), ("buffer cannot be mapped"));
    return GST_FLOW_ERROR;
  }
  if (!packetiser.cut({unit.data, unit.size}, room)) {
    // Of an encoder's last breath, or no AV1: nobody could decode it.
    GST_WARNING_OBJECT(self, "dropped %zu bytes: no temporal unit", unit.size);
    gst_buffer_unmap(buffer.get(), &unit);
    return GST_FLOW_OK;
  }
  const auto count = packetiser.packets();
  auto* list = gst_buffer_list_new_sized(static_cast<guint>(count));
  for (std::size_t i = 0; i < count; ++i) {
    auto* packet = gst_rtp_base_payload_allocate_output_buffer(
        base, static_cast<guint>(packetiser.size(i)), 0, 0);
    GstRTPBuffer rtp = GST_RTP_BUFFER_INIT;
    gst_rtp_buffer_map(packet, GST_MAP_WRITE, &rtp);
    packetiser.write(i, static_cast<guint8*>(gst_rtp_buffer_get_payload(&rtp)));
    gst_rtp_buffer_set_marker(&rtp, i + 1 == count ? TRUE : FALSE);
    gst_rtp_buffer_unmap(&rtp);
    GST_BUFFER_PTS(packet) = GST_BUFFER_PTS(buffer.get());
    GST_BUFFER_DTS(packet) = GST_BUFFER_DTS(buffer.get());
    if (!packetiser.keyframe()) GST_BUFFER_FLAG_SET(packet, GST_BUFFER_FLAG_DELTA_UNIT);
    gst_buffer_list_add(list, packet);
  }
  gst_buffer_unmap(buffer.get(), &unit);
  return gst_rtp_base_payload_push_list(base, list);
}

static void gst_sotto_av1_pay_init(GstSottoAv1Pay* self) { self->priv = new GstSottoAv1PayPrivate; }

static void gst_sotto_av1_pay_finalize(GObject* object) {
  delete GST_SOTTO_AV1_PAY(object)->priv;
  G_OBJECT_CLASS(gst_sotto_av1_pay_parent_class)->finalize(object);
}

static void gst_sotto_av1_pay_class_init(GstSottoAv1PayClass* klass) {
  GST_DEBUG_CATEGORY_INIT(gst_sotto_av1_pay_debug, "sotto-rtpav1pay", 0, "AV1 RTP payloader");
  G_OBJECT_CLASS(klass)->finalize = gst_sotto_av1_pay_finalize;
  auto* base_class = GST_RTP_BASE_PAYLOAD_CLASS(klass);
  base_class->set_caps = GST_DEBUG_FUNCPTR(gst_sotto_av1_pay_set_caps);
  base_class->handle_buffer = GST_DEBUG_FUNCPTR(gst_sotto_av1_pay_handle_buffer);
  auto* element_class = GST_ELEMENT_CLASS(klass);
  gst_element_class_add_static_pad_template(element_class, &sink_template);
  gst_element_class_add_static_pad_template(element_class, &src_template);
  gst_element_class_set_static_metadata(element_class, "AV1 RTP Payloader",
                                        "Codec/Payloader/Network/RTP",
                                        "Puts AV1 into RTP packets (AOM, RTP Payload Format For "
                                        "AV1 1.0)",
                                        "The sotto authors");
}
