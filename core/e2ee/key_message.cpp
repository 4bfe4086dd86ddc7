// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/e2ee/key_message.h"

#include "core/base/cbor.h"
#include "core/sframe/key_schedule.h"

#include <algorithm>

namespace sotto::e2ee {
namespace {

constexpr std::string_view kLabel = "sotto/key/v1";
}  // namespace

Secret print(const KeyMessage& message) {
  using cbor::head;
  using cbor::Major;
  const cbor::Head heads[] = {head(Major::kArray, 4), head(Major::kText, kLabel.size()),
                              head(Major::kUnsigned, static_cast<std::uint16_t>(message.suite)),
                              head(Major::kUnsigned, message.kid),
                              head(Major::kBytes, message.key.size())};
  std::size_t size = kLabel.size() + message.key.size();
  for (const auto& each : heads) size += each.size;
  Secret out(size);
  auto at = out.span().begin();
  const auto put = [&](ByteView bytes) { at = std::copy(bytes.begin(), bytes.end(), at); };
  put(heads[0].view());
  put(heads[1].view());
  put(as_bytes(kLabel));
  for (int i = 2; i < 5; ++i) put(heads[i].view());
  put(message.key.view());
  return out;
}

Result<KeyMessage> parse_key_message(ByteView bytes) {
  cbor::Reader reader(bytes);
  const bool ours = reader.labelled(4, kLabel);
  const auto suite = reader.number();
  const auto kid = reader.number();
  const auto key = reader.bytes(bytes.size());
  if (!ours || !suite || !kid || !key || !reader.at_end()) {
    return fail(ErrorCode::kParse, "not a key message");
  }
  const auto* info =
      *suite > 0xFFFF ? nullptr : sframe::find_suite(static_cast<std::uint16_t>(*suite));
  if (info == nullptr) return fail(ErrorCode::kUnsupported, "a key for an unknown cipher suite");
  if (key->size() < sframe::kMinBaseKey || key->size() > sframe::kMaxBaseKey) {
    return fail(ErrorCode::kInvalid, "a base key has 16 to 64 bytes");
  }
  return KeyMessage{info->suite, *kid, Secret::copy_of(*key)};
}

}  // namespace sotto::e2ee
