// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// Registration of every element, and nothing else.
#include "elements/av1/gstav1depay.h"
#include "elements/av1/gstav1pay.h"
#include "elements/e2ee/gste2eedecrypt.h"
#include "elements/e2ee/gste2eeencrypt.h"
#include "elements/sealed/gstsealeddemux.h"
#include "elements/sealed/gstsealedmux.h"
#include "elements/whep/gstwhepsrc.h"
#include "elements/whip/gstwhipsink.h"

#include <gst/gst.h>

namespace {

gboolean plugin_init(GstPlugin* plugin) {
  gboolean registered = TRUE;
  registered &= GST_ELEMENT_REGISTER(whip_sink, plugin);
  registered &= GST_ELEMENT_REGISTER(whep_src, plugin);
  registered &= GST_ELEMENT_REGISTER(e2ee_encrypt, plugin);
  registered &= GST_ELEMENT_REGISTER(e2ee_decrypt, plugin);
  registered &= GST_ELEMENT_REGISTER(sotto_rtpav1pay, plugin);
  registered &= GST_ELEMENT_REGISTER(sotto_rtpav1depay, plugin);
  registered &= GST_ELEMENT_REGISTER(sealed_mux, plugin);
  registered &= GST_ELEMENT_REGISTER(sealed_demux, plugin);
  return registered;
}

}  // namespace

#define PACKAGE "sotto"
GST_PLUGIN_DEFINE(GST_VERSION_MAJOR, GST_VERSION_MINOR, sotto,
                  "Secure real-time media: WHIP and WHEP ends, end-to-end encryption, rights",
                  plugin_init, SOTTO_VERSION, "LGPL", "sotto", "https://sotto.invalid/")
