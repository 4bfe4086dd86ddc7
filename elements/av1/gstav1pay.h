// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// sotto-rtpav1pay: AV1 into RTP. See the block in gstav1pay.cpp.
#pragma once

#include <gst/gst.h>
#include <gst/rtp/gstrtpbasepayload.h>

G_BEGIN_DECLS

// The type's name is not the one gst-plugins-rs gives its payloader: both may be loaded.
#define GST_TYPE_SOTTO_AV1_PAY (gst_sotto_av1_pay_get_type())
G_DECLARE_FINAL_TYPE(GstSottoAv1Pay, gst_sotto_av1_pay, GST, SOTTO_AV1_PAY, GstRTPBasePayload)
GST_ELEMENT_REGISTER_DECLARE(sotto_rtpav1pay)

G_END_DECLS
