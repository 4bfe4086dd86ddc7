// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elements/e2ee/keyring.h"

#include "elements/e2ee/element.h"

#include <glib.h>

using sotto::sframe::KeyStore;

namespace {

struct Stores {
  std::shared_ptr<KeyStore> outer = std::make_shared<KeyStore>();
  std::shared_ptr<KeyStore> inner = std::make_shared<KeyStore>();
};

gboolean add_to(KeyStore& store, guint64 kid, guint suite, GBytes* key) {
  const auto* info = sotto::suite_of(suite);
  if (info == nullptr) return FALSE;
  const auto added = store.add(info->suite, kid, sotto::sframe::kExactKid, sotto::view_of(key));
  return added ? TRUE : FALSE;
}

}  // namespace

struct _SottoKeyring {
  GObject parent;
  Stores* stores;
};

G_DEFINE_FINAL_TYPE(SottoKeyring, sotto_keyring, G_TYPE_OBJECT)

static gboolean on_add_key(SottoKeyring* self, guint64 kid, guint suite, GBytes* key) {
  return add_to(*self->stores->outer, kid, suite, key);
}

static gboolean on_add_second_key(SottoKeyring* self, guint64 kid, guint suite, GBytes* key) {
  return add_to(*self->stores->inner, kid, suite, key);
}

static gboolean on_remove_key(SottoKeyring* self, guint64 kid) {
  const bool outer = self->stores->outer->remove(kid);
  const bool inner = self->stores->inner->remove(kid);
  return outer || inner ? TRUE : FALSE;
}

static void on_destroy(SottoKeyring* self) {
  self->stores->outer->clear();
  self->stores->inner->clear();
}

static void sotto_keyring_init(SottoKeyring* self) { self->stores = new Stores; }

static void sotto_keyring_finalize(GObject* object) {
  delete SOTTO_KEYRING(object)->stores;
  G_OBJECT_CLASS(sotto_keyring_parent_class)->finalize(object);
}

static void sotto_keyring_class_init(SottoKeyringClass* klass) {
  G_OBJECT_CLASS(klass)->finalize = sotto_keyring_finalize;
  const auto type = G_TYPE_FROM_CLASS(klass);
  constexpr auto kAction = static_cast<GSignalFlags>(G_SIGNAL_RUN_LAST | G_SIGNAL_ACTION);
  sotto::install_key_signal(type, "add-key", G_CALLBACK(on_add_key));
  sotto::install_key_signal(type, "add-second-key", G_CALLBACK(on_add_second_key));
  g_signal_new_class_handler("remove-key", type, kAction, G_CALLBACK(on_remove_key), nullptr,
                             nullptr, nullptr, G_TYPE_BOOLEAN, 1, G_TYPE_UINT64);
  g_signal_new_class_handler("destroy", type, kAction, G_CALLBACK(on_destroy), nullptr, nullptr,
                             nullptr, G_TYPE_NONE, 0);
}

SottoKeyring* sotto_keyring_new(void) {
  return static_cast<SottoKeyring*>(g_object_new(SOTTO_TYPE_KEYRING, nullptr));
}

const std::shared_ptr<KeyStore>& sotto_keyring_outer(SottoKeyring* keyring) {
  return keyring->stores->outer;
}

const std::shared_ptr<KeyStore>& sotto_keyring_inner(SottoKeyring* keyring) {
  return keyring->stores->inner;
}
