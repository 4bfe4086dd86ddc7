// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// e2ee-encrypt: seals encoded frames. See the block in gste2eeencrypt.cpp.
#pragma once

#include <gst/base/gstbasetransform.h>
#include <gst/gst.h>

G_BEGIN_DECLS

#define GST_TYPE_E2EE_ENCRYPT (gst_e2ee_encrypt_get_type())
G_DECLARE_FINAL_TYPE(GstE2eeEncrypt, gst_e2ee_encrypt, GST, E2EE_ENCRYPT, GstBaseTransform)
GST_ELEMENT_REGISTER_DECLARE(e2ee_encrypt)

G_END_DECLS
