// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
//
// SottoKeyring: the keys that open sealed frames, as an object that elements share through the
// GstContext `sotto.e2ee.keyring` (field `keyring`). The context carries a reference, never a key.
//
// Action signals: add-key (guint64 kid, guint suite, GBytes key) -> gboolean,
//                 add-second-key (the same, for the inner layer) -> gboolean,
//                 remove-key (guint64 kid) -> gboolean,
//                 destroy (): wipes every key at once, wherever the object is still referred to.
#pragma once

#include "core/sframe/key_ring.h"

#include <glib-object.h>
#include <gmodule.h>

G_BEGIN_DECLS

#define SOTTO_KEYRING_CONTEXT "sotto.e2ee.keyring"
#define SOTTO_TYPE_KEYRING (sotto_keyring_get_type())
// The plugin's one type: programs that hold keys for its elements link to it.
G_MODULE_EXPORT GType sotto_keyring_get_type(void);
G_DECLARE_FINAL_TYPE(SottoKeyring, sotto_keyring, SOTTO, KEYRING, GObject)

G_MODULE_EXPORT SottoKeyring* sotto_keyring_new(void);

G_END_DECLS

G_MODULE_EXPORT const std::shared_ptr<sotto::sframe::KeyStore>& sotto_keyring_outer(
    SottoKeyring* keyring);
G_MODULE_EXPORT const std::shared_ptr<sotto::sframe::KeyStore>& sotto_keyring_inner(
    SottoKeyring* keyring);
