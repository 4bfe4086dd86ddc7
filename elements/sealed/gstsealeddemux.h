// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// sealed-demux: plays sealed files. See the block in gstsealeddemux.cpp.
#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

#define GST_TYPE_SEALED_DEMUX (gst_sealed_demux_get_type())
G_DECLARE_FINAL_TYPE(GstSealedDemux, gst_sealed_demux, GST, SEALED_DEMUX, GstElement)
GST_ELEMENT_REGISTER_DECLARE(sealed_demux)

G_END_DECLS
