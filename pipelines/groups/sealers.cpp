// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "pipelines/groups/sealers.h"

#include <utility>

namespace sotto {
namespace {

constexpr unsigned kContexts = 256;
constexpr unsigned kContextShift = 32;  // KID of calls: context 8, sender 16, epoch 16 bits.

bool set_key(GstElement* element, const char* signal, std::uint64_t kid,
             const keys::EpochKey& key) {
  auto* held = new Secret(key.base_key.clone());
  const auto view = held->view();
  // Wiped with its last reference.
  GBytes* bytes = g_bytes_new_with_free_func(
      view.data(), view.size(), [](gpointer secret) { delete static_cast<Secret*>(secret); }, held);
  gboolean taken = FALSE;
  g_signal_emit_by_name(element, signal, static_cast<guint64>(kid), static_cast<guint>(key.suite),
                        bytes, &taken);
  g_bytes_unref(bytes);
  return taken != FALSE;
}

std::uint64_t frames_of(GstElement* element) {
  GstStructure* stats = nullptr;
  g_object_get(element, "stats", &stats, nullptr);
  guint64 frames = 0;
  if (stats != nullptr) {
    gst_structure_get_uint64(stats, "frames", &frames);
    gst_structure_free(stats);
  }
  return frames;
}

}  // namespace

void Sealers::forget_gone() {
  std::erase_if(elements_, [](const Element& known) {
    const auto parent = GstPtr<GstObject>::adopt(gst_element_get_parent(known.element.get()));
    return !parent;
  });
}

void Sealers::give(GstElement* element) {
  if (!key_) return;
  if (key_->next_context >= kContexts) {
    starved_ = true;
    return;
  }
  const auto kid = key_->kid | static_cast<std::uint64_t>(key_->next_context++) << kContextShift;
  // Inside first: with the outer one alone nothing may pass.
  const bool taken =
      (key_->inner.base_key.empty() || set_key(element, "set-second-key", kid, key_->inner)) &&
      set_key(element, "set-key", kid, key_->outer);
  if (!taken) g_signal_emit_by_name(element, "clear-keys");
}

void Sealers::add(GstElement* encrypt) {
  const std::lock_guard lock(mutex_);
  forget_gone();
  elements_.push_back({GstPtr<GstElement>::ref(encrypt), frames_of(encrypt)});
  give(encrypt);
}

void Sealers::use(const keys::event::UseKey& key) {
  const std::lock_guard lock(mutex_);
  forget_gone();
  starved_ = false;
  key_ = Key{key.kid,
             {key.outer.suite, key.outer.base_key.clone()},
             {key.inner.suite, key.inner.base_key.clone()},
             0};
  for (auto& known : elements_) {
    give(known.element.get());
    known.counted = frames_of(known.element.get());
  }
}

void Sealers::stop() {
  const std::lock_guard lock(mutex_);
  key_.reset();
  starved_ = false;
  for (auto& known : elements_) g_signal_emit_by_name(known.element.get(), "clear-keys");
}

std::uint64_t Sealers::take_sealed() {
  const std::lock_guard lock(mutex_);
  forget_gone();
  std::uint64_t sealed = 0;
  for (auto& known : elements_) {
    const auto frames = frames_of(known.element.get());
    sealed += frames - known.counted;
    known.counted = frames;
  }
  return sealed;
}

bool Sealers::wants_rekey() const {
  const std::lock_guard lock(mutex_);
  return starved_;
}

}  // namespace sotto
