// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/agent/epochs.h"

#include "core/base/cbor.h"
#include "core/e2ee/frame.h"
#include "core/keys/crypto.h"

#include <algorithm>

namespace sotto::agent {
namespace {

constexpr std::string_view kEpochLabel = "sotto/epoch/v1";
constexpr std::string_view kTagLabel = "sotto/epoch-tag/v1";
/// Older files that may still open something: who replaces them faster loses the oldest.
constexpr std::size_t kMaxRetired = 8;
/// Senders whose last epochs are still open to receivers.
constexpr std::size_t kMaxEndings = 512;

}  // namespace

Result<std::uint64_t> file_tag(const e2ee::FileKey& file) {
  const auto info = cbor::Writer().array(1).text(kTagLabel).take();
  const auto bytes = keys::hkdf({}, file.key.view(), info, 2);
  if (!bytes) return tl::unexpected<Error>(bytes.error());
  // The first byte is not zero, so a KID is always as wide on the wire.
  const std::uint64_t first = std::max<std::uint64_t>(bytes->view()[0], 1);
  return (first << 56U) | (std::uint64_t{bytes->view()[1]} << 48U);
}

Result<Secret> epoch_key(const e2ee::FileKey& file, std::uint64_t kid) {
  const auto info = cbor::Writer()
                        .array(3)
                        .text(kEpochLabel)
                        .number(static_cast<std::uint64_t>(file.suite))
                        .number(kid)
                        .take();
  return keys::hkdf({}, file.key.view(), info, e2ee::kFileKeySize);
}

Result<Epochs> Epochs::make(Policy policy, Files files) {
  Epochs out(policy);
  if (auto done = out.take(std::move(files)); !done) return tl::unexpected<Error>(done.error());
  return out;
}

Result<> Epochs::take(Files files) {
  const auto outer = file_tag(files.outer);
  if (!outer) return tl::unexpected<Error>(outer.error());
  std::map<Layer, File> made;
  made[Layer::kOuter] = {std::move(files.outer), *outer};
  if (files.inner) {
    const auto inner = file_tag(*files.inner);
    if (!inner) return tl::unexpected<Error>(inner.error());
    made[Layer::kInner] = {std::move(*files.inner), *inner};
  }
  files_ = std::move(made);
  return {};
}

Result<> Epochs::received(Client client, const Message& message, Time now, Letters& out) {
  const auto found = clients_.find(client);
  if (const auto* hello = std::get_if<Hello>(&message)) {
    if (found != clients_.end()) return fail(ErrorCode::kConflict, "a second hello");
    auto& member = clients_[client];
    member.role = hello->role;
    if (member.role == Role::kSeal) return renew(client, member, now, out);
    for (const auto& [id, each] : clients_) {
      for (const auto& [layer, kid] : each.kids) {
        auto with = opening(layer, kid);
        if (!with) return tl::unexpected<Error>(with.error());
        out.push_back({client, encode(std::move(*with))});
      }
    }
    return {};
  }
  if (std::holds_alternative<Rotate>(message)) {
    auto done = rotate(now, out);
    if (done) out.push_back({client, encode(Done{})});
    return done;
  }
  if (found == clients_.end()) return fail(ErrorCode::kConflict, "hello comes first");
  auto& member = found->second;
  if (const auto* need = std::get_if<Need>(&message); need && member.role == Role::kOpen) {
    auto with = opening(need->layer, need->kid);
    if (with) {
      out.push_back({client, encode(std::move(*with))});
    } else {
      out.push_back({client, encode(None{need->layer, need->kid})});
    }
    return {};
  }
  if (const auto* spent = std::get_if<Spent>(&message); spent && member.role == Role::kSeal) {
    const auto kid = member.kids.find(spent->layer);
    // Of a key that was replaced meanwhile: it has a new one.
    if (kid == member.kids.end() || kid->second != spent->kid) return {};
    return renew(client, member, now, out);
  }
  return fail(ErrorCode::kInvalid, "a message that is not this client's to send");
}

Result<> Epochs::rotate(Time now, Letters& out) {
  for (auto& [client, member] : clients_) {
    if (member.role != Role::kSeal) continue;
    if (auto done = renew(client, member, now, out); !done) return done;
  }
  return {};
}

Result<> Epochs::replace(Files files, Time now, Letters& out) {
  auto before = std::move(files_);
  if (auto done = take(std::move(files)); !done) {
    files_ = std::move(before);
    return done;
  }
  for (auto& [layer, file] : before) {
    const auto still = files_.find(layer);
    if (still != files_.end() && still->second.tag == file.tag) continue;  // The same file.
    endings_.push_back({now + policy_.keep, {layer, file.tag, kFileMask}});
    retired_.push_back({now + policy_.keep, layer, std::move(file)});
  }
  if (retired_.size() > kMaxRetired) {
    retired_.erase(retired_.begin(), retired_.end() - static_cast<std::ptrdiff_t>(kMaxRetired));
  }
  return rotate(now, out);
}

Result<std::optional<Time>> Epochs::tick(Time now, Letters& out) {
  std::optional<Time> next;
  const auto note = [&](Time at) { next = next ? std::min(*next, at) : at; };
  if (policy_.every.count() > 0) {
    for (auto& [client, member] : clients_) {
      if (member.role != Role::kSeal) continue;
      if (now >= member.since + policy_.every) {
        if (auto done = renew(client, member, now, out); !done) {
          return tl::unexpected<Error>(done.error());
        }
      }
      note(member.since + policy_.every);
    }
  }
  for (const auto& ending : endings_) {
    if (ending.at <= now) {
      to_receivers(ending.drop, out);
    } else {
      note(ending.at);
    }
  }
  const auto past = [now](const auto& each) { return each.at <= now; };
  endings_.erase(std::remove_if(endings_.begin(), endings_.end(), past), endings_.end());
  const auto over = [now](const auto& each) { return each.until <= now; };
  retired_.erase(std::remove_if(retired_.begin(), retired_.end(), over), retired_.end());
  return next;
}

/// A new key for a sender: receivers get it first.
Result<> Epochs::renew(Client client, Member& member, Time now, Letters& out) {
  auto before = std::move(member.kids);
  member.kids.clear();
  for (const auto& [layer, kid] : before) {
    if (endings_.size() < kMaxEndings) {
      endings_.push_back({now + policy_.keep, {layer, kid, ~0ULL}});
    } else {
      to_receivers(Drop{layer, kid, ~0ULL}, out);
    }
  }
  Letters to_sender;
  for (const auto& [layer, file] : files_) {  // The inner layer first.
    const auto kid = file.tag | (e2ee::random_kid() & ~kFileMask);
    auto with = opening(layer, kid);
    if (!with) return tl::unexpected<Error>(with.error());
    member.kids[layer] = kid;
    to_sender.push_back(
        {client, encode(SealWith{layer, with->suite, kid, with->key.clone(), policy_.frames})});
    to_receivers(std::move(*with), out);
  }
  member.since = now;
  for (auto& letter : to_sender) out.push_back(std::move(letter));
  return {};
}

Result<OpenWith> Epochs::opening(Layer layer, std::uint64_t kid) const {
  const File* file = nullptr;
  const auto current = files_.find(layer);
  if (current != files_.end() && (kid & kFileMask) == current->second.tag) file = &current->second;
  for (const auto& old : retired_) {
    if (file == nullptr && old.layer == layer && (kid & kFileMask) == old.file.tag) {
      file = &old.file;
    }
  }
  if (file == nullptr) return fail(ErrorCode::kNotFound, "no file has this KID");
  auto key = epoch_key(file->key, kid);
  if (!key) return tl::unexpected<Error>(key.error());
  return OpenWith{layer, file->key.suite, kid, std::move(*key)};
}

void Epochs::to_receivers(const Message& message, Letters& out) const {
  for (const auto& [client, member] : clients_) {
    if (member.role == Role::kOpen) out.push_back({client, encode(message)});
  }
}

}  // namespace sotto::agent
