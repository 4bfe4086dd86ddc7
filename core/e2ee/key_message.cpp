// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/e2ee/key_message.h"

#include "core/sframe/key_schedule.h"

#include <algorithm>
#include <array>
#include <optional>

namespace sotto::e2ee {
namespace {

constexpr std::string_view kLabel = "sotto/key/v1";
enum Major : std::uint8_t { kUnsigned = 0, kBytes = 2, kText = 3, kArray = 4 };

struct Head {
  std::array<std::uint8_t, 9> bytes{};
  std::size_t size = 0;
  ByteView view() const { return {bytes.data(), size}; }
};

/// Type and number in the shortest form.
Head head(Major major, std::uint64_t number) {
  Head out;
  const auto first = [&](unsigned low) {
    out.bytes[out.size++] = static_cast<std::uint8_t>((static_cast<unsigned>(major) << 5U) | low);
  };
  if (number < 24) {
    first(static_cast<unsigned>(number));
    return out;
  }
  unsigned log = 0;  // The number takes 2^log bytes.
  while (log < 3 && (number >> (8U << log)) != 0) ++log;
  first(24 + log);
  for (int shift = (8 << log) - 8; shift >= 0; shift -= 8) {
    out.bytes[out.size++] = static_cast<std::uint8_t>(number >> shift);
  }
  return out;
}

class Reader {
 public:
  explicit Reader(ByteView bytes) : bytes_(bytes) {}
  std::optional<std::uint64_t> number(Major major) {
    if (bytes_.empty() || bytes_[0] >> 5U != major) return std::nullopt;
    const unsigned low = bytes_[0] & 0x1FU;
    std::uint64_t value = low;
    std::size_t size = 1;
    if (low >= 24) {
      if (low > 27) return std::nullopt;
      size += 1UL << (low - 24);
      if (bytes_.size() < size) return std::nullopt;
      value = 0;
      for (std::size_t i = 1; i < size; ++i) value = (value << 8U) | bytes_[i];
    }
    if (head(major, value).size != size) return std::nullopt;  // Not the shortest form.
    bytes_ = bytes_.subspan(size);
    return value;
  }
  std::optional<ByteView> string(Major major) {
    const auto size = number(major);
    if (!size || *size > bytes_.size()) return std::nullopt;
    const auto out = bytes_.first(static_cast<std::size_t>(*size));
    bytes_ = bytes_.subspan(out.size());
    return out;
  }
  bool at_end() const { return bytes_.empty(); }

 private:
  ByteView bytes_;
};

}  // namespace

Secret print(const KeyMessage& message) {
  const Head heads[] = {head(kArray, 4), head(kText, kLabel.size()),
                        head(kUnsigned, static_cast<std::uint16_t>(message.suite)),
                        head(kUnsigned, message.kid), head(kBytes, message.key.size())};
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
  Reader reader(bytes);
  const auto count = reader.number(kArray);
  const auto label = reader.string(kText);
  const auto suite = reader.number(kUnsigned);
  const auto kid = reader.number(kUnsigned);
  const auto key = reader.string(kBytes);
  if (count != 4U || !label || as_text(*label) != kLabel || !suite || !kid || !key ||
      !reader.at_end()) {
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
