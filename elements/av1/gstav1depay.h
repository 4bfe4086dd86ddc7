// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// sotto-rtpav1depay: AV1 out of RTP. See the block in gstav1depay.cpp.
#pragma once

#include <gst/gst.h>
#include <gst/rtp/gstrtpbasedepayload.h>

G_BEGIN_DECLS

// The type's name is not the one gst-plugins-rs gives its depayloader: both may be loaded.
#define GST_TYPE_SOTTO_AV1_DEPAY (gst_sotto_av1_depay_get_type())
G_DECLARE_FINAL_TYPE(GstSottoAv1Depay, gst_sotto_av1_depay, GST, SOTTO_AV1_DEPAY,
                     GstRTPBaseDepayload)
GST_ELEMENT_REGISTER_DECLARE(sotto_rtpav1depay)

G_END_DECLS
