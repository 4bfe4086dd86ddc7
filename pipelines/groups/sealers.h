// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// The e2ee-encrypt elements of one sender, and the epoch key they seal under.
//
// Each element gets a context of its own (the top 8 bits of the KID), and an element that is made
// anew another one: two never share a key and counter.
#pragma once

#include "core/keys/member.h"
#include "elements/glue/gst_ptr.h"

#include <gst/gst.h>

#include <cstdint>
#include <mutex>
#include <optional>
#include <vector>

namespace sotto {

/// Thread safe.
class Sealers {
 public:
  /// Takes part from now on, until its pipeline is gone.
  void add(GstElement* encrypt);
  void use(const keys::event::UseKey& key);
  /// No frame passes any more, until there is another key.
  void stop();
  /// Frames sealed under the present key since the last call.
  std::uint64_t take_sealed();
  /// The contexts of this key are used up: an element waits for another one.
  bool wants_rekey() const;

 private:
  struct Element {
    GstPtr<GstElement> element;
    std::uint64_t counted = 0;
  };
  struct Key {
    std::uint64_t kid = 0;
    keys::EpochKey outer;
    keys::EpochKey inner;
    unsigned next_context = 0;
  };

  void forget_gone();
  void give(GstElement* element);

  mutable std::mutex mutex_;  // Protects all below. Elements do not call back.
  std::vector<Element> elements_;
  std::optional<Key> key_;
  bool starved_ = false;
};

}  // namespace sotto
