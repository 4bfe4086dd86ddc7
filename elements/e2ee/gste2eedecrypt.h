// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// e2ee-decrypt: opens sealed frames. See the block in gste2eedecrypt.cpp.
#pragma once

#include <gst/base/gstbasetransform.h>
#include <gst/gst.h>

G_BEGIN_DECLS

#define GST_TYPE_E2EE_DECRYPT (gst_e2ee_decrypt_get_type())
G_DECLARE_FINAL_TYPE(GstE2eeDecrypt, gst_e2ee_decrypt, GST, E2EE_DECRYPT, GstBaseTransform)
GST_ELEMENT_REGISTER_DECLARE(e2ee_decrypt)

G_END_DECLS
