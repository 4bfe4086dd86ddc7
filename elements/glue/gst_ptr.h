// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// Owning pointers for GStreamer and GLib objects, so that no function has to remember to unref.
#pragma once

#include <gst/gst.h>

#include <memory>
#include <utility>

namespace sotto {

/// How to take and drop a reference of T. Specialised for every kind of object we hold.
template <class T>
struct GstTraits {  // GObject and everything derived from it.
  static void ref(T* p) { gst_object_ref(p); }
  static void unref(T* p) { gst_object_unref(p); }
};
template <class T>
struct MiniObjectTraits {
  static void ref(T* p) { gst_mini_object_ref(GST_MINI_OBJECT_CAST(p)); }
  static void unref(T* p) { gst_mini_object_unref(GST_MINI_OBJECT_CAST(p)); }
};
template <>
struct GstTraits<GstBuffer> : MiniObjectTraits<GstBuffer> {};
template <>
struct GstTraits<GstBufferList> : MiniObjectTraits<GstBufferList> {};
template <>
struct GstTraits<GstCaps> : MiniObjectTraits<GstCaps> {};
template <>
struct GstTraits<GstEvent> : MiniObjectTraits<GstEvent> {};
template <>
struct GstTraits<GstMessage> : MiniObjectTraits<GstMessage> {};
template <>
struct GstTraits<GstQuery> : MiniObjectTraits<GstQuery> {};
template <>
struct GstTraits<GstSample> : MiniObjectTraits<GstSample> {};
template <>
struct GstTraits<GstPromise> : MiniObjectTraits<GstPromise> {};

/// Shared ownership of T by its own reference count.
template <class T>
class GstPtr {
 public:
  GstPtr() = default;
  GstPtr(std::nullptr_t) {}  // NOLINT(google-explicit-constructor): null is a pointer value.
  /// Takes over the caller's reference (transfer full).
  static GstPtr adopt(T* p) { return GstPtr(p); }
  /// Adopts a new object, sinking the floating reference GStreamer constructors return.
  static GstPtr sink(T* p) {
    return GstPtr(p == nullptr ? nullptr : static_cast<T*>(gst_object_ref_sink(p)));
  }
  /// Adds a reference of its own (transfer none).
  static GstPtr ref(T* p) {
    if (p != nullptr) GstTraits<T>::ref(p);
    return GstPtr(p);
  }
  GstPtr(const GstPtr& other) : p_(other.p_) {
    if (p_ != nullptr) GstTraits<T>::ref(p_);
  }
  GstPtr(GstPtr&& other) noexcept : p_(std::exchange(other.p_, nullptr)) {}
  GstPtr& operator=(GstPtr other) noexcept {
    std::swap(p_, other.p_);
    return *this;
  }
  ~GstPtr() {
    if (p_ != nullptr) GstTraits<T>::unref(p_);
  }

  T* get() const { return p_; }
  T* operator->() const { return p_; }
  explicit operator bool() const { return p_ != nullptr; }
  /// Gives the reference away (to a function that is transfer full).
  [[nodiscard]] T* release() { return std::exchange(p_, nullptr); }
  void reset() { *this = GstPtr(); }

 private:
  explicit GstPtr(T* p) : p_(p) {}
  T* p_ = nullptr;
};

}  // namespace sotto
