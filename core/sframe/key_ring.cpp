// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/sframe/key_ring.h"

#include <algorithm>
#include <bitset>

namespace sotto::sframe {
namespace {

std::uint64_t low_bits(unsigned count) { return (1ULL << count) - 1; }

std::size_t width(std::uint64_t mask) { return std::bitset<64>(mask).count(); }

/// How many steps `to` is ahead of `from`, both modulo 2^bits.
std::uint64_t ahead(std::uint64_t from, std::uint64_t to, unsigned bits) {
  return (to - from) & low_bits(bits);
}

Result<Secret> turn(Suite suite, ByteView base_key, std::uint64_t steps) {
  auto key = Secret::copy_of(base_key);
  for (; steps > 0; --steps) {
    auto next = ratchet(suite, key.view());
    if (!next) return next;
    key = std::move(*next);
  }
  return key;
}

}  // namespace

Result<> KeyStore::put(Entry entry) {
  const std::lock_guard lock(mutex_);
  const auto same = [&](const Entry& other) {
    return other.mask == entry.mask && other.value == entry.value;
  };
  entries_.erase(std::remove_if(entries_.begin(), entries_.end(), same), entries_.end());
  if (entries_.size() >= kMaxStoredKeys) return fail(ErrorCode::kTooLarge, "too many keys");
  entry.id = ++last_id_;
  ++version_;
  const auto narrower = [&](const Entry& other) { return width(other.mask) < width(entry.mask); };
  entries_.insert(std::find_if(entries_.begin(), entries_.end(), narrower), std::move(entry));
  return {};
}

Result<> KeyStore::add(Suite suite, std::uint64_t kid, std::uint64_t mask, ByteView base_key) {
  if (base_key.size() < kMinBaseKey || base_key.size() > kMaxBaseKey) {
    return fail(ErrorCode::kInvalid, "a base key has 16 to 64 bytes");
  }
  return put({0, suite, kid & mask, mask, Secret::copy_of(base_key)});
}

Result<> KeyStore::add_ratchet(Suite suite, std::uint64_t kid, unsigned bits, ByteView base_key) {
  if (bits == 0 || bits > kMaxRatchetBits) {
    return fail(ErrorCode::kInvalid, "a ratchet takes 1 to 16 bits of the KID");
  }
  if (base_key.size() < kMinBaseKey || base_key.size() > kMaxBaseKey) {
    return fail(ErrorCode::kInvalid, "a base key has 16 to 64 bytes");
  }
  const auto steps = low_bits(bits);
  return put({0, suite, kid & ~steps, ~steps, Secret::copy_of(base_key), bits, kid & steps});
}

bool KeyStore::remove(std::uint64_t kid, std::uint64_t mask) {
  const std::lock_guard lock(mutex_);
  const auto found = std::find_if(entries_.begin(), entries_.end(), [&](const Entry& entry) {
    return entry.mask == mask && entry.value == (kid & mask);
  });
  if (found == entries_.end()) return false;
  entries_.erase(found);
  ++version_;
  return true;
}

void KeyStore::clear() {
  const std::lock_guard lock(mutex_);
  entries_.clear();
  ++version_;
}

std::uint64_t KeyStore::version() const {
  const std::lock_guard lock(mutex_);
  return version_;
}

std::size_t KeyStore::size() const {
  const std::lock_guard lock(mutex_);
  return entries_.size();
}

std::optional<KeyStore::Found> KeyStore::find(std::uint64_t kid) const {
  const std::lock_guard lock(mutex_);
  const auto entry = std::find_if(entries_.begin(), entries_.end(), [&](const Entry& candidate) {
    return (kid & candidate.mask) == candidate.value;
  });
  if (entry == entries_.end()) return std::nullopt;
  std::uint64_t steps = 0;
  if (entry->ratchet_bits != 0) {
    steps = ahead(entry->step, kid & low_bits(entry->ratchet_bits), entry->ratchet_bits);
    if (steps > kMaxRatchetSteps) return std::nullopt;
  }
  const auto key = turn(entry->suite, entry->base_key.view(), steps);
  if (!key) return std::nullopt;
  auto opener = Opener::make(entry->suite, kid, key->view());
  if (!opener) return std::nullopt;
  return Found{std::move(*opener), entry->id, entry->ratchet_bits};
}

bool KeyStore::holds(std::uint64_t id) const {
  const std::lock_guard lock(mutex_);
  return std::any_of(entries_.begin(), entries_.end(),
                     [&](const Entry& entry) { return entry.id == id; });
}

void KeyStore::authenticated(std::uint64_t id, std::uint64_t kid) {
  const std::lock_guard lock(mutex_);
  const auto entry = std::find_if(entries_.begin(), entries_.end(),
                                  [&](const Entry& candidate) { return candidate.id == id; });
  if (entry == entries_.end() || entry->ratchet_bits == 0) return;
  const auto bits = entry->ratchet_bits;
  const auto steps = ahead(entry->step, kid & low_bits(bits), bits);
  if (steps < 2 || steps > kMaxRatchetSteps) return;
  // One step back stays: another track may not have switched yet.
  auto key = turn(entry->suite, entry->base_key.view(), steps - 1);
  if (!key) return;
  entry->base_key = std::move(*key);
  entry->step = (entry->step + steps - 1) & low_bits(bits);
}

OpenerTable::OpenerTable(std::shared_ptr<KeyStore> store) : store_(std::move(store)) {}

void OpenerTable::clear() {
  by_kid_.clear();
  contexts_.clear();
}

void OpenerTable::forget_removed() {
  const auto version = store_->version();
  if (version == version_) return;
  version_ = version;
  for (auto it = contexts_.begin(); it != contexts_.end();) {
    if (store_->holds(it->entry)) {
      ++it;
    } else {
      by_kid_.erase(it->opener.kid());
      it = contexts_.erase(it);
    }
  }
}

// The KID of a step comes again when the steps wrap, with another key.
void OpenerTable::forget_steps_before(std::uint64_t kid, std::uint64_t entry, unsigned bits) {
  for (auto it = contexts_.begin(); it != contexts_.end();) {
    const bool last = ahead(it->opener.kid(), kid, bits) == 1;
    if (it->entry != entry || last) {
      ++it;
    } else {
      by_kid_.erase(it->opener.kid());
      it = contexts_.erase(it);
    }
  }
}

Verdict OpenerTable::open(ByteView sealed, ByteView metadata, std::span<std::uint8_t> out,
                          std::size_t& written, std::uint64_t& kid) {
  written = 0;
  const auto parsed = parse_header(sealed);
  if (!parsed) return Verdict::kMalformed;
  kid = parsed->header.kid;
  forget_removed();
  if (const auto known = by_kid_.find(kid); known != by_kid_.end()) {
    contexts_.splice(contexts_.begin(), contexts_, known->second);
    return contexts_.front().opener.open(sealed, metadata, out, written);
  }
  auto found = store_->find(kid);
  if (!found) return Verdict::kNoKey;
  const auto verdict = found->opener.open(sealed, metadata, out, written);
  if (verdict != Verdict::kOk) return verdict;
  store_->authenticated(found->entry, kid);
  if (found->ratchet_bits != 0) forget_steps_before(kid, found->entry, found->ratchet_bits);
  if (contexts_.size() >= kMaxContexts) {
    by_kid_.erase(contexts_.back().opener.kid());
    contexts_.pop_back();
  }
  contexts_.push_front({std::move(found->opener), found->entry});
  by_kid_[kid] = contexts_.begin();
  return verdict;
}

}  // namespace sotto::sframe
