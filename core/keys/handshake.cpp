// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/base/cbor.h"
#include "core/base/random.h"
#include "core/keys/channel.h"

#include <algorithm>

namespace sotto::keys {
namespace {

constexpr std::string_view kHelloLabel = "sotto/hello/v1";
constexpr std::string_view kReplyLabel = "sotto/reply/v1";
constexpr std::string_view kCoreLabel = "sotto/reply-core/v1";
constexpr std::string_view kFinishLabel = "sotto/finish/v1";
constexpr std::size_t kMaxCore = 1024;
constexpr std::size_t kNameSize = 16;
constexpr std::size_t kConfirmationSize = 2 * sizeof(Sha256);
constexpr std::size_t kGroupSecretSize = 32;

using Numbers = std::vector<std::uint16_t>;

bool is(const std::optional<ByteView>& got, ByteView expected) {
  return got && std::equal(got->begin(), got->end(), expected.begin(), expected.end());
}

/// 1 to `most` rising numbers.
std::optional<Numbers> read_numbers(cbor::Reader& in, std::size_t most) {
  const auto count = in.array();
  if (!count || *count < 1 || *count > most) return std::nullopt;
  Numbers out;
  for (std::uint64_t i = 0; i < *count; ++i) {
    const auto each = in.number();
    if (!each || *each > 0xFFFF || (!out.empty() && *each <= out.back())) return std::nullopt;
    out.push_back(static_cast<std::uint16_t>(*each));
  }
  return out;
}

void write_numbers(cbor::Writer& out, const Numbers& numbers) {
  out.array(numbers.size());
  for (const auto each : numbers) out.number(each);
}

/// The name of a retained secret in a hello, or the proof of it in a reply (`theirs` not empty).
Bytes retained_name(ByteView secret, std::string_view role, ByteView mine, ByteView theirs = {}) {
  cbor::Writer named;
  named.array(theirs.empty() ? 3 : 4).text("sotto/retained/v1").text(role).bytes(mine);
  if (!theirs.empty()) named.bytes(theirs);
  const auto mac = hmac(secret.first(kKeySize), named.view());
  return {mac.begin(), mac.begin() + kNameSize};
}

Sha512 transcript_of(ByteView hello, ByteView core, ByteView x25519, ByteView p256) {
  return sha512(cbor::Writer()
                    .array(5)
                    .text("sotto/transcript/v1")
                    .bytes(hello)
                    .bytes(core)
                    .bytes(x25519)
                    .bytes(p256)
                    .view());
}

Bytes signed_by(bool initiator, const Sha512& th) {
  return cbor::Writer()
      .array(2)
      .text(initiator ? "sotto/sign-finish/v1" : "sotto/sign-reply/v1")
      .bytes(th)
      .take();
}

Bytes confirmation_of(bool initiator, const std::array<Secret, kLayers>& keys, const Sha512& th) {
  const auto message = cbor::Writer()
                           .array(3)
                           .text("sotto/confirm/v1")
                           .text(initiator ? "initiator" : "responder")
                           .bytes(th)
                           .take();
  Bytes out;
  for (const auto& key : keys) {
    const auto mac = hmac(key.view(), message);
    out.insert(out.end(), mac.begin(), mac.end());
  }
  return out;
}

struct Proof {
  Bytes signature;
  Bytes confirmation;
};

std::optional<Proof> read_proof(cbor::Reader& in) {
  const auto signature = in.bytes(kSignatureSize);
  const auto confirmation = in.bytes(kConfirmationSize);
  if (!signature || signature->size() != kSignatureSize || !confirmation ||
      confirmation->size() != kConfirmationSize || !in.at_end()) {
    return std::nullopt;
  }
  return Proof{{signature->begin(), signature->end()},
               {confirmation->begin(), confirmation->end()}};
}

Result<> check(const Proof& proof, bool initiator, const PublicIdentity& identity,
               const std::array<Secret, kLayers>& confirm, const Sha512& th) {
  if (!identity.verify(signed_by(initiator, th), proof.signature)) {
    return fail(ErrorCode::kCrypto, "a handshake its member did not sign");
  }
  if (!equal_constant_time(proof.confirmation, confirmation_of(initiator, confirm, th))) {
    return fail(ErrorCode::kCrypto, "a handshake with other keys than ours");
  }
  return {};
}

Result<> check(const Pairing& pairing) {
  if (pairing.group.empty() || pairing.group.size() > kMaxGroup || pairing.session.size() != 16 ||
      pairing.suites.empty() || pairing.suites.size() > kMaxSuites ||
      !(pairing.group_secret.empty() || pairing.group_secret.size() == kGroupSecretSize)) {
    return fail(ErrorCode::kInvalid, "a handshake needs group, session and suites");
  }
  return {};
}

struct Hello {
  Numbers versions;
  std::array<std::uint32_t, kLayers> prekeys{};
  std::array<ByteView, kLayers> ephemerals;
  Numbers suites;
  std::array<ByteView, 2> names;
};

std::optional<Hello> parse_hello(ByteView bytes, const Pairing& pairing,
                                 const PublicIdentity& initiator, const PublicIdentity& responder) {
  cbor::Reader in(bytes);
  if (!in.labelled(13, kHelloLabel)) return std::nullopt;
  Hello out;
  const auto versions = read_numbers(in, kMaxVersions);
  if (!versions || in.text(kMaxGroup) != pairing.group || !is(in.bytes(16), pairing.session) ||
      in.number() != pairing.initiator || in.number() != pairing.responder ||
      !is(in.bytes(kSpkiSize), initiator.spki()) ||
      !is(in.bytes(sizeof(IdentityId)), responder.id()) || in.array() != kLayers) {
    return std::nullopt;
  }
  out.versions = *versions;
  for (auto& prekey : out.prekeys) {
    const auto id = in.number();
    if (!id || *id > UINT32_MAX) return std::nullopt;
    prekey = static_cast<std::uint32_t>(*id);
  }
  for (unsigned layer = 1; layer <= kLayers; ++layer) {
    const auto key = in.bytes(public_size(layer));
    if (!key || key->size() != public_size(layer)) return std::nullopt;
    out.ephemerals[layer - 1] = *key;
  }
  const auto suites = read_numbers(in, kMaxSuites);
  if (!suites || in.array() != 2U) return std::nullopt;
  out.suites = *suites;
  for (auto& name : out.names) {
    const auto got = in.bytes(kNameSize);
    if (!got || got->size() != kNameSize) return std::nullopt;
    name = *got;
  }
  if (!in.at_end()) return std::nullopt;
  return out;
}

struct Core {
  std::uint64_t version = 0;
  std::array<ByteView, kLayers> ephemerals;
  Numbers suites;
  ByteView retained;
};

std::optional<Core> parse_core(ByteView bytes, const Pairing& pairing,
                               const PublicIdentity& responder) {
  cbor::Reader in(bytes);
  if (!in.labelled(11, kCoreLabel)) return std::nullopt;
  Core out;
  const auto version = in.number();
  if (!version || in.text(kMaxGroup) != pairing.group || !is(in.bytes(16), pairing.session) ||
      in.number() != pairing.responder || in.number() != pairing.initiator ||
      !is(in.bytes(kSpkiSize), responder.spki())) {
    return std::nullopt;
  }
  out.version = *version;
  for (unsigned layer = 1; layer <= kLayers; ++layer) {
    const auto key = in.bytes(public_size(layer));
    if (!key || key->size() != public_size(layer)) return std::nullopt;
    out.ephemerals[layer - 1] = *key;
  }
  const auto suites = read_numbers(in, kMaxSuites);
  const auto retained = in.bytes(kNameSize);
  if (!suites || !retained || (!retained->empty() && retained->size() != kNameSize) ||
      !in.at_end()) {
    return std::nullopt;
  }
  out.suites = *suites;
  out.retained = *retained;
  return out;
}

}  // namespace

/// From the agreements to the keys of both layers.
struct Schedule {
  std::array<Secret, kLayers> initiator_confirm;
  std::array<Secret, kLayers> responder_confirm;

  /// `first` is with the responder's prekey, `second` between the ephemerals.
  static Result<Schedule> run(const Pairing& pairing, bool initiator,
                              const std::array<Secret, kLayers>& first,
                              const std::array<Secret, kLayers>& second, ByteView retained,
                              Channel& channel) {
    Schedule out;
    channel.group_ = pairing.group;
    channel.session_ = pairing.session;
    channel.own_ = initiator ? pairing.initiator : pairing.responder;
    channel.other_ = initiator ? pairing.responder : pairing.initiator;
    channel.initiator_ = initiator;
    channel.used_ = Secret::copy_of(retained);
    channel.sas_ = Secret(kLayers * kKeySize);
    channel.retained_ = Secret(kRetainedSize);
    for (std::size_t i = 0; i < kLayers; ++i) {
      Secret ikm(4 * kKeySize);
      const auto put = [&](std::size_t at, ByteView part) {
        std::copy(part.begin(), part.end(),
                  ikm.span().begin() + static_cast<std::ptrdiff_t>(at * kKeySize));
      };
      put(0, first[i].view());
      put(1, second[i].view());
      if (!retained.empty()) put(2, retained.subspan(i * kKeySize, kKeySize));
      if (!pairing.group_secret.empty()) {
        const auto info =
            cbor::Writer().array(3).text("sotto/group-secret/v1").text(pairing.group).number(i + 1);
        const auto psk = hkdf({}, pairing.group_secret, info.view(), kKeySize);
        if (!psk) return tl::unexpected<Error>(psk.error());
        put(3, psk->view());
      }
      const auto key = [&](std::string_view purpose) {
        const auto info =
            cbor::Writer().array(3).text("sotto/channel/v1").number(i + 1).text(purpose).take();
        return hkdf(channel.transcript_, ikm.view(), info, kKeySize);
      };
      auto from_initiator = key("initiator key");
      auto from_responder = key("responder key");
      auto initiator_confirm = key("initiator confirm");
      auto responder_confirm = key("responder confirm");
      const auto sas = key("sas");
      const auto fresh = key("retained");
      if (!from_initiator || !from_responder || !initiator_confirm || !responder_confirm || !sas ||
          !fresh) {
        return fail(ErrorCode::kCrypto, "HKDF failed");
      }
      channel.send_[i] = std::move(initiator ? *from_initiator : *from_responder);
      channel.receive_[i] = std::move(initiator ? *from_responder : *from_initiator);
      out.initiator_confirm[i] = std::move(*initiator_confirm);
      out.responder_confirm[i] = std::move(*responder_confirm);
      const auto offset = static_cast<std::ptrdiff_t>(i * kKeySize);
      std::copy(sas->view().begin(), sas->view().end(), channel.sas_.span().begin() + offset);
      std::copy(fresh->view().begin(), fresh->view().end(),
                channel.retained_.span().begin() + offset);
    }
    return out;
  }
};

Result<Ephemerals> Ephemerals::generate() {
  Ephemerals out;
  out.filler = random_bytes(2 * kNameSize);
  for (unsigned layer = 1; layer <= kLayers; ++layer) {
    auto key = AgreementKey::generate(layer);
    if (!key) return tl::unexpected<Error>(key.error());
    out.keys[layer - 1] = std::move(*key);
  }
  return out;
}

Result<Initiator> Initiator::start(const Pairing& pairing, const Identity& identity,
                                   const PrekeyBundle& responder, const Contact* retained,
                                   Ephemerals ephemerals) {
  if (auto good = check(pairing); !good) return tl::unexpected<Error>(good.error());
  Initiator out(identity.pub());
  out.pairing_ = pairing;
  out.group_secret_ = Secret::copy_of(pairing.group_secret);
  out.pairing_.group_secret = out.group_secret_.view();
  out.responder_ = responder;
  out.ephemerals_ = std::move(ephemerals);
  const auto& keys = out.ephemerals_.keys;
  cbor::Writer hello;
  hello.array(13).text(kHelloLabel).array(1).number(kProtocolVersion).text(pairing.group);
  hello.bytes(pairing.session).number(pairing.initiator).number(pairing.responder);
  hello.bytes(out.own_.spki()).bytes(responder.identity.id()).array(kLayers);
  for (const auto& prekey : responder.prekeys) hello.number(prekey.id);
  for (const auto& key : keys) hello.bytes(key.pub());
  write_numbers(hello, pairing.suites);
  hello.array(2);
  Secret* const kept[] = {&out.rs1_, &out.rs2_};
  for (std::size_t i = 0; i < 2; ++i) {
    if (retained != nullptr) *kept[i] = (i == 0 ? retained->rs1 : retained->rs2).clone();
    hello.bytes(
        kept[i]->empty()
            ? Bytes(out.ephemerals_.filler.begin() +
                        static_cast<std::ptrdiff_t>(i) * static_cast<std::ptrdiff_t>(kNameSize),
                    out.ephemerals_.filler.begin() +
                        static_cast<std::ptrdiff_t>(i + 1) * static_cast<std::ptrdiff_t>(kNameSize))
            : retained_name(kept[i]->view(), "initiator", keys[0].pub()));
  }
  out.hello_ = hello.take();
  return out;
}

Result<Initiator::Done> Initiator::finish(ByteView reply, const Identity& identity) const {
  cbor::Reader in(reply);
  if (!in.labelled(4, kReplyLabel)) return fail(ErrorCode::kParse, "not a reply");
  const auto core_bytes = in.bytes(kMaxCore);
  const auto proof = core_bytes ? read_proof(in) : std::nullopt;
  if (!proof) return fail(ErrorCode::kParse, "not a reply");
  const auto core = parse_core(*core_bytes, pairing_, responder_->identity);
  if (!core) return fail(ErrorCode::kParse, "a reply that is not the answer to our hello");
  if (core->version != kProtocolVersion) {
    return fail(ErrorCode::kUnsupported, "a version we did not offer");
  }
  const auto& keys = ephemerals_.keys;
  ByteView retained;
  if (!core->retained.empty()) {
    for (const auto* each : {&rs1_, &rs2_}) {
      if (each->empty() || !retained.empty()) continue;
      const auto expected =
          retained_name(each->view(), "responder", keys[0].pub(), core->ephemerals[0]);
      if (equal_constant_time(expected, core->retained)) retained = each->view();
    }
    if (retained.empty()) return fail(ErrorCode::kCrypto, "a retained secret we do not have");
  }
  std::array<Secret, kLayers> first;
  std::array<Secret, kLayers> second;
  for (std::size_t i = 0; i < kLayers; ++i) {
    auto with_prekey = keys[i].agree(responder_->prekeys[i].key);
    auto with_ephemeral = keys[i].agree(core->ephemerals[i]);
    if (!with_prekey) return tl::unexpected<Error>(with_prekey.error());
    if (!with_ephemeral) return tl::unexpected<Error>(with_ephemeral.error());
    first[i] = std::move(*with_prekey);
    second[i] = std::move(*with_ephemeral);
  }
  Done out;
  auto& channel = out.channel;
  channel.transcript_ =
      transcript_of(hello_, *core_bytes, responder_->prekeys[0].key, responder_->prekeys[1].key);
  const auto schedule = Schedule::run(pairing_, true, first, second, retained, channel);
  if (!schedule) return tl::unexpected<Error>(schedule.error());
  if (auto good = check(*proof, false, responder_->identity, schedule->responder_confirm,
                        channel.transcript_);
      !good) {
    return tl::unexpected<Error>(good.error());
  }
  channel.broken_ = !rs1_.empty() && retained.empty();
  channel.suites_ = core->suites;
  const auto signature = identity.sign(signed_by(true, channel.transcript_));
  if (!signature) return tl::unexpected<Error>(signature.error());
  out.finish = cbor::Writer()
                   .array(3)
                   .text(kFinishLabel)
                   .bytes(*signature)
                   .bytes(confirmation_of(true, schedule->initiator_confirm, channel.transcript_))
                   .take();
  return out;
}

Result<Responder> Responder::answer(const Pairing& pairing, const Identity& identity,
                                    const Prekeys& prekeys, const PublicIdentity& initiator,
                                    const Contact* retained, Ephemerals ephemerals,
                                    ByteView hello_bytes) {
  if (auto good = check(pairing); !good) return tl::unexpected<Error>(good.error());
  const auto hello = parse_hello(hello_bytes, pairing, initiator, identity.pub());
  if (!hello) return fail(ErrorCode::kParse, "a hello that is not for us");
  if (std::find(hello->versions.begin(), hello->versions.end(), kProtocolVersion) ==
      hello->versions.end()) {
    return fail(ErrorCode::kUnsupported, "a hello of other versions");
  }
  // The initiator's first name comes first: both sides know the same order.
  const auto& keys = ephemerals.keys;
  ByteView used;
  for (const auto& name : hello->names) {
    if (retained == nullptr || !used.empty()) break;
    for (const auto* each : {&retained->rs1, &retained->rs2}) {
      if (each->empty() || !used.empty()) continue;
      const auto expected = retained_name(each->view(), "initiator", hello->ephemerals[0]);
      if (equal_constant_time(expected, name)) used = each->view();
    }
  }
  std::array<Secret, kLayers> first;
  std::array<Secret, kLayers> second;
  std::array<ByteView, kLayers> own_prekeys;
  for (unsigned layer = 1; layer <= kLayers; ++layer) {
    const auto i = layer - 1;
    const auto* prekey = prekeys.find(layer, hello->prekeys[i]);
    if (prekey == nullptr) return fail(ErrorCode::kNotFound, "a hello for a prekey we do not have");
    own_prekeys[i] = prekey->pub();
    auto with_prekey = prekey->agree(hello->ephemerals[i]);
    auto with_ephemeral = keys[i].agree(hello->ephemerals[i]);
    if (!with_prekey) return tl::unexpected<Error>(with_prekey.error());
    if (!with_ephemeral) return tl::unexpected<Error>(with_ephemeral.error());
    first[i] = std::move(*with_prekey);
    second[i] = std::move(*with_ephemeral);
  }
  cbor::Writer core;
  core.array(11).text(kCoreLabel).number(kProtocolVersion).text(pairing.group);
  core.bytes(pairing.session).number(pairing.responder).number(pairing.initiator);
  core.bytes(identity.pub().spki());
  for (const auto& key : keys) core.bytes(key.pub());
  write_numbers(core, pairing.suites);
  core.bytes(used.empty() ? Bytes()
                          : retained_name(used, "responder", hello->ephemerals[0], keys[0].pub()));
  Responder out(initiator);
  auto& channel = out.channel_;
  channel.transcript_ = transcript_of(hello_bytes, core.view(), own_prekeys[0], own_prekeys[1]);
  auto schedule = Schedule::run(pairing, false, first, second, used, channel);
  if (!schedule) return tl::unexpected<Error>(schedule.error());
  channel.broken_ = retained != nullptr && !retained->rs1.empty() && used.empty();
  channel.suites_ = hello->suites;
  const auto signature = identity.sign(signed_by(false, channel.transcript_));
  if (!signature) return tl::unexpected<Error>(signature.error());
  out.reply_ = cbor::Writer()
                   .array(4)
                   .text(kReplyLabel)
                   .bytes(core.view())
                   .bytes(*signature)
                   .bytes(confirmation_of(false, schedule->responder_confirm, channel.transcript_))
                   .take();
  out.confirm_ = std::move(schedule->initiator_confirm);
  return out;
}

Result<Channel> Responder::finish(ByteView finish) {
  cbor::Reader in(finish);
  if (!in.labelled(3, kFinishLabel)) return fail(ErrorCode::kParse, "not a finish");
  const auto proof = read_proof(in);
  if (!proof) return fail(ErrorCode::kParse, "not a finish");
  if (auto good = check(*proof, true, initiator_, confirm_, channel_.transcript_); !good) {
    return tl::unexpected<Error>(good.error());
  }
  return std::move(channel_);
}

}  // namespace sotto::keys
