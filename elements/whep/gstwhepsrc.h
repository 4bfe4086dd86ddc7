// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// whep-src: plays from a WHEP endpoint. See the block in gstwhepsrc.cpp.
#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

#define GST_TYPE_WHEP_SRC (gst_whep_src_get_type())
G_DECLARE_FINAL_TYPE(GstWhepSrc, gst_whep_src, GST, WHEP_SRC, GstBin)
GST_ELEMENT_REGISTER_DECLARE(whep_src)

G_END_DECLS
