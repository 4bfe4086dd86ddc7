// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The receiving side's keys. A KeyStore holds base keys and may be shared by the tracks of a
// session; an OpenerTable belongs to one track and holds the ready contexts with their replay
// windows.
#pragma once

#include "core/sframe/context.h"

#include <cstddef>
#include <cstdint>
#include <limits>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <vector>

namespace sotto::sframe {

/// Keys one store holds: a hundred senders with some epochs each.
inline constexpr std::size_t kMaxStoredKeys = 1024;
/// Steps a ratchet is turned for one frame: more is a forged header, not a lost key message.
inline constexpr unsigned kMaxRatchetSteps = 32;
inline constexpr unsigned kMaxRatchetBits = 16;

/// A mask that asks for one KID, and one that takes any (a key file's).
inline constexpr std::uint64_t kExactKid = std::numeric_limits<std::uint64_t>::max();
inline constexpr std::uint64_t kAnyKid = 0;

/// Base keys by KID. All methods may be called from any thread.
class KeyStore {
 public:
  /// The key of every KID with (KID & mask) == (kid & mask). Takes the place of an entry with the
  /// same mask and value.
  Result<> add(Suite suite, std::uint64_t kid, std::uint64_t mask, ByteView base_key);
  /// A chain of RFC 9605 section 5.1: KID = generation << bits | step mod 2^bits. Once a frame of a
  /// later step has authenticated, all steps but the one before it are forgotten.
  Result<> add_ratchet(Suite suite, std::uint64_t kid, unsigned bits, ByteView base_key);
  /// False when there was none.
  bool remove(std::uint64_t kid, std::uint64_t mask = kExactKid);
  /// Wipes everything.
  void clear();

  /// Changes with each add, remove and clear.
  std::uint64_t version() const;
  std::size_t size() const;

  struct Found {
    Opener opener;
    std::uint64_t entry;    ///< Which entry it came from.
    unsigned ratchet_bits;  ///< Of the entry; 0 when it is no ratchet.
  };
  /// Makes a context from the narrowest entry that covers the KID.
  std::optional<Found> find(std::uint64_t kid) const;
  bool holds(std::uint64_t entry) const;
  /// Tells that a frame of this KID authenticated: ratchets move on.
  void authenticated(std::uint64_t entry, std::uint64_t kid);

 private:
  struct Entry {
    std::uint64_t id;
    Suite suite;
    std::uint64_t value;
    std::uint64_t mask;
    Secret base_key;
    unsigned ratchet_bits = 0;  // 0: no ratchet.
    std::uint64_t step = 0;     // Of base_key.
  };
  Result<> put(Entry entry);

  mutable std::mutex mutex_;  // Protects everything below.
  std::vector<Entry> entries_;
  std::uint64_t version_ = 0;
  std::uint64_t last_id_ = 0;
};

/// Contexts of one track, at most kMaxContexts: the one used longest ago makes room. For one
/// thread.
class OpenerTable {
 public:
  static constexpr std::size_t kMaxContexts = 256;

  explicit OpenerTable(std::shared_ptr<KeyStore> store);

  /// As Opener::open, by the KID in the header. `kid` is set whenever the header could be read. A
  /// new context is kept only when its first frame authenticated.
  Verdict open(ByteView sealed, ByteView metadata, std::span<std::uint8_t> out,
               std::size_t& written, std::uint64_t& kid);
  /// Drops every context, and with them the replay windows.
  void clear();
  std::size_t size() const { return contexts_.size(); }

 private:
  struct Context {
    Opener opener;
    std::uint64_t entry;
  };
  void forget_removed();
  void forget_steps_before(std::uint64_t kid, std::uint64_t entry, unsigned bits);

  std::shared_ptr<KeyStore> store_;
  std::uint64_t version_ = 0;
  std::list<Context> contexts_;  // Most recently used first.
  std::unordered_map<std::uint64_t, std::list<Context>::iterator> by_kid_;
};

}  // namespace sotto::sframe
