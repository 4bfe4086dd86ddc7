// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// whip-sink: sends encoded media to a WHIP endpoint. See the block in gstwhipsink.cpp.
#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

#define GST_TYPE_WHIP_SINK (gst_whip_sink_get_type())
G_DECLARE_FINAL_TYPE(GstWhipSink, gst_whip_sink, GST, WHIP_SINK, GstBin)
GST_ELEMENT_REGISTER_DECLARE(whip_sink)

G_END_DECLS
