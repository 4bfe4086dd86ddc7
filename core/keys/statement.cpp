// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/keys/statement.h"

#include "core/base/cbor.h"

#include <algorithm>

namespace sotto::keys {
namespace {

constexpr std::string_view kLink = "sotto/device-link/v1";
constexpr std::string_view kRevocation = "sotto/device-revocation/v1";
constexpr std::size_t kMaxReason = 16;

cbor::Writer link_head(std::uint64_t items, ByteView by, ByteView device, std::uint64_t at) {
  cbor::Writer out;
  out.array(items).text(kLink).bytes(by).bytes(device).number(at);
  return out;
}

cbor::Writer revocation_head(std::uint64_t items, ByteView by, ByteView device, std::uint64_t at,
                             std::string_view reason) {
  cbor::Writer out;
  out.array(items).text(kRevocation).bytes(by).bytes(device).number(at).text(reason);
  return out;
}

tl::unexpected<Error> forged() {
  return fail(ErrorCode::kCrypto, "the statement's signature does not hold");
}

}  // namespace

bool is_reason(std::string_view text) {
  return text == "lost" || text == "compromised" || text == "retired";
}

Result<Bytes> sign_link(const Identity& by, const PublicIdentity& device, std::uint64_t at) {
  if (by.pub().id() == device.id()) {
    return fail(ErrorCode::kInvalid, "a device is not linked to itself");
  }
  const auto signature = by.sign(link_head(4, by.pub().spki(), device.spki(), at).view());
  if (!signature) return tl::unexpected<Error>(signature.error());
  return link_head(5, by.pub().spki(), device.spki(), at).bytes(*signature).take();
}

Result<Bytes> sign_revocation(const Identity& by, const IdentityId& device, std::uint64_t at,
                              std::string_view reason) {
  if (!is_reason(reason)) {
    return fail(ErrorCode::kInvalid, "a reason is lost, compromised or retired");
  }
  const auto spki = by.pub().spki();
  const auto signature = by.sign(revocation_head(5, spki, device, at, reason).view());
  if (!signature) return tl::unexpected<Error>(signature.error());
  return revocation_head(6, spki, device, at, reason).bytes(*signature).take();
}

Result<DeviceLink> parse_link(ByteView bytes) {
  cbor::Reader reader(bytes);
  const bool ours = reader.labelled(5, kLink);
  const auto by = reader.bytes(kSpkiSize);
  const auto device = reader.bytes(kSpkiSize);
  const auto at = reader.number();
  const auto signature = reader.bytes(kSignatureSize);
  if (!ours || !by || !device || !at || !signature || !reader.at_end()) {
    return fail(ErrorCode::kParse, "not a link of devices");
  }
  auto signer = PublicIdentity::from_spki(*by);
  if (!signer) return tl::unexpected<Error>(signer.error());
  auto linked = PublicIdentity::from_spki(*device);
  if (!linked) return tl::unexpected<Error>(linked.error());
  if (!signer->verify(link_head(4, *by, *device, *at).view(), *signature)) return forged();
  return DeviceLink{std::move(*signer), std::move(*linked), *at};
}

Result<Revocation> parse_revocation(ByteView bytes) {
  cbor::Reader reader(bytes);
  const bool ours = reader.labelled(6, kRevocation);
  const auto by = reader.bytes(kSpkiSize);
  const auto device = reader.bytes(sizeof(IdentityId));
  const auto at = reader.number();
  const auto reason = reader.text(kMaxReason);
  const auto signature = reader.bytes(kSignatureSize);
  if (!ours || !by || !device || device->size() != sizeof(IdentityId) || !at || !reason ||
      !is_reason(*reason) || !signature || !reader.at_end()) {
    return fail(ErrorCode::kParse, "not a revocation of a device");
  }
  auto signer = PublicIdentity::from_spki(*by);
  if (!signer) return tl::unexpected<Error>(signer.error());
  if (!signer->verify(revocation_head(5, *by, *device, *at, *reason).view(), *signature)) {
    return forged();
  }
  Revocation out{std::move(*signer), {}, *at, std::string(*reason)};
  std::copy(device->begin(), device->end(), out.device.begin());
  return out;
}

}  // namespace sotto::keys
