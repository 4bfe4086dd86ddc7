// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// sealed-mux: keeps sealed frames. See the block in gstsealedmux.cpp.
#pragma once

#include <gst/base/gstaggregator.h>
#include <gst/gst.h>

G_BEGIN_DECLS

#define GST_TYPE_SEALED_MUX (gst_sealed_mux_get_type())
G_DECLARE_FINAL_TYPE(GstSealedMux, gst_sealed_mux, GST, SEALED_MUX, GstAggregator)
GST_ELEMENT_REGISTER_DECLARE(sealed_mux)

G_END_DECLS
