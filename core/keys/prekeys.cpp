// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/keys/prekeys.h"

#include "core/base/cbor.h"
#include "core/base/random.h"

namespace sotto::keys {
namespace {

constexpr std::string_view kBundleLabel = "sotto/prekeys/v1";
constexpr std::string_view kSuccessionLabel = "sotto/succession/v1";
constexpr std::size_t kMaxSuccession = 256;
constexpr std::uint64_t kMaxTime = 1ULL << 48U;

Bytes signed_prekey(const IdentityId& id, unsigned layer, std::uint32_t prekey, WallTime not_before,
                    WallTime not_after, ByteView key) {
  return cbor::Writer()
      .array(7)
      .text("sotto/sign-prekey/v1")
      .bytes(id)
      .number(layer)
      .number(prekey)
      .number(static_cast<std::uint64_t>(not_before.count()))
      .number(static_cast<std::uint64_t>(not_after.count()))
      .bytes(key)
      .take();
}

Bytes signed_succession(const IdentityId& former, const IdentityId& id) {
  return cbor::Writer().array(3).text("sotto/sign-succession/v1").bytes(former).bytes(id).take();
}

Result<IdentityId> parse_succession(ByteView bytes, const IdentityId& heir) {
  cbor::Reader in(bytes);
  if (!in.labelled(3, kSuccessionLabel)) return fail(ErrorCode::kParse, "not a succession");
  const auto spki = in.bytes(kSpkiSize);
  const auto signature = in.bytes(kSignatureSize);
  if (!spki || !signature || !in.at_end()) return fail(ErrorCode::kParse, "not a succession");
  const auto former = PublicIdentity::from_spki(*spki);
  if (!former) return tl::unexpected<Error>(former.error());
  if (!former->verify(signed_succession(former->id(), heir), *signature)) {
    return fail(ErrorCode::kCrypto, "a succession the former identity did not sign");
  }
  return former->id();
}

Result<PrekeyBundle::Prekey> parse_prekey(cbor::Reader& in, const PublicIdentity& identity,
                                          unsigned layer, WallTime now) {
  if (in.array() != 6U || in.number() != layer) return fail(ErrorCode::kParse, "not a prekey");
  const auto id = in.number();
  const auto not_before = in.number();
  const auto not_after = in.number();
  const auto key = in.bytes(public_size(layer));
  const auto signature = in.bytes(kSignatureSize);
  if (!id || *id > UINT32_MAX || !not_before || *not_before > kMaxTime || !not_after ||
      *not_after > kMaxTime || !key || key->size() != public_size(layer) || !signature) {
    return fail(ErrorCode::kParse, "not a prekey");
  }
  PrekeyBundle::Prekey out;
  out.id = static_cast<std::uint32_t>(*id);
  out.not_before = WallTime(static_cast<WallTime::rep>(*not_before));
  out.not_after = WallTime(static_cast<WallTime::rep>(*not_after));
  out.key.assign(key->begin(), key->end());
  if (!identity.verify(
          signed_prekey(identity.id(), layer, out.id, out.not_before, out.not_after, out.key),
          *signature)) {
    return fail(ErrorCode::kCrypto, "a prekey its identity did not sign");
  }
  if (out.not_after <= out.not_before || out.not_after - out.not_before > kMaxPrekeyLife) {
    return fail(ErrorCode::kInvalid, "a prekey that is valid too long");
  }
  if (now + kClockSkew < out.not_before || now - kClockSkew > out.not_after) {
    return fail(ErrorCode::kInvalid, "a prekey out of its time");
  }
  return out;
}

}  // namespace

Result<PrekeyBundle> parse_bundle(ByteView bytes, WallTime now) {
  if (bytes.size() > kMaxBundle) return fail(ErrorCode::kTooLarge, "a prekey bundle is too long");
  cbor::Reader in(bytes);
  if (!in.labelled(5, kBundleLabel)) return fail(ErrorCode::kParse, "not a prekey bundle");
  const auto spki = in.bytes(kSpkiSize);
  if (!spki) return fail(ErrorCode::kParse, "not a prekey bundle");
  auto identity = PublicIdentity::from_spki(*spki);
  if (!identity) return tl::unexpected<Error>(identity.error());
  PrekeyBundle out{std::move(*identity), {}, {}};
  for (unsigned layer = 1; layer <= kLayers; ++layer) {
    auto prekey = parse_prekey(in, out.identity, layer, now);
    if (!prekey) return tl::unexpected<Error>(prekey.error());
    out.prekeys[layer - 1] = std::move(*prekey);
  }
  const auto succession = in.bytes(kMaxSuccession);
  if (!succession || !in.at_end()) return fail(ErrorCode::kParse, "not a prekey bundle");
  if (!succession->empty()) {
    auto former = parse_succession(*succession, out.identity.id());
    if (!former) return tl::unexpected<Error>(former.error());
    out.predecessor = *former;
  }
  return out;
}

Result<Prekeys::Pair> Prekeys::make(WallTime now) {
  Pair pair;
  pair.id = random_u32();
  pair.made = now;
  for (unsigned layer = 1; layer <= kLayers; ++layer) {
    auto key = AgreementKey::generate(layer);
    if (!key) return tl::unexpected<Error>(key.error());
    pair.keys[layer - 1] = std::move(*key);
  }
  return pair;
}

Result<Prekeys> Prekeys::generate(const Identity& identity, WallTime now) {
  auto pair = make(now);
  if (!pair) return tl::unexpected<Error>(pair.error());
  return from_keys(identity, pair->id, pair->made, std::move(pair->keys));
}

Result<Prekeys> Prekeys::from_keys(const Identity& identity, std::uint32_t id, WallTime made,
                                   std::array<AgreementKey, kLayers> keys) {
  for (unsigned layer = 1; layer <= kLayers; ++layer) {
    if (keys[layer - 1].layer() != layer) return fail(ErrorCode::kInvalid, "a key per layer");
  }
  Prekeys out;
  out.present_ = {id, made, std::move(keys)};
  if (auto done = out.write_bundle(identity); !done) return tl::unexpected<Error>(done.error());
  return out;
}

Result<bool> Prekeys::renew(const Identity& identity, WallTime now) {
  // A clock that was set back must not keep old keys alive either.
  if (now >= present_.made && now - present_.made < kPrekeyRenewal) return false;
  auto pair = make(now);
  if (!pair) return tl::unexpected<Error>(pair.error());
  while (pair->id == present_.id) pair->id = random_u32();
  former_ = std::move(present_);
  present_ = std::move(*pair);
  if (auto done = write_bundle(identity); !done) return tl::unexpected<Error>(done.error());
  return true;
}

Result<> Prekeys::set_succession(const Identity& identity, const Identity& former) {
  const auto signature = former.sign(signed_succession(former.pub().id(), identity.pub().id()));
  if (!signature) return tl::unexpected<Error>(signature.error());
  succession_ = cbor::Writer()
                    .array(3)
                    .text(kSuccessionLabel)
                    .bytes(former.pub().spki())
                    .bytes(*signature)
                    .take();
  return write_bundle(identity);
}

Result<> Prekeys::write_bundle(const Identity& identity) {
  cbor::Writer out;
  out.array(5).text(kBundleLabel).bytes(identity.pub().spki());
  const auto not_after = present_.made + kPrekeyLife;
  for (unsigned layer = 1; layer <= kLayers; ++layer) {
    const auto& key = present_.keys[layer - 1].pub();
    const auto signature = identity.sign(
        signed_prekey(identity.pub().id(), layer, present_.id, present_.made, not_after, key));
    if (!signature) return tl::unexpected<Error>(signature.error());
    out.array(6)
        .number(layer)
        .number(present_.id)
        .number(static_cast<std::uint64_t>(present_.made.count()))
        .number(static_cast<std::uint64_t>(not_after.count()))
        .bytes(key)
        .bytes(*signature);
  }
  bundle_ = out.bytes(succession_).take();
  return {};
}

const AgreementKey* Prekeys::find(unsigned layer, std::uint32_t id) const {
  if (layer < 1 || layer > kLayers) return nullptr;
  if (present_.id == id) return &present_.keys[layer - 1];
  if (former_ && former_->id == id) return &former_->keys[layer - 1];
  return nullptr;
}

}  // namespace sotto::keys
