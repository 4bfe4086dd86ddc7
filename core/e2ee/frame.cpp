// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/e2ee/frame.h"

#include "core/e2ee/nal.h"
#include "core/e2ee/shim.h"
#include "core/rtc/av1/obu.h"

#include <sodium.h>

#include <algorithm>
#include <utility>

namespace sotto::e2ee {
namespace {

using sframe::Verdict;

constexpr std::array<std::uint8_t, 4> kStartCode = {0, 0, 0, 1};
constexpr std::uint8_t kNalEnd = 0x80;  // Payloaders take zero bytes at the end away; this stays.
constexpr std::size_t kMaxDtx = 2;

/// The inner layer has no shim to authenticate; it is bound to codec and layer instead:
/// the CBOR array ["sotto/frame/v1", codec, 1].
struct InnerMetadata {
  std::array<std::uint8_t, 32> bytes{};
  std::size_t size = 0;
  explicit InnerMetadata(Codec codec) {
    constexpr std::string_view kLabel = "sotto/frame/v1";
    const auto put = [this](std::size_t byte) { bytes[size++] = static_cast<std::uint8_t>(byte); };
    const auto text = [&](std::string_view words) {
      put(0x60U | words.size());
      for (const char letter : words) put(static_cast<unsigned char>(letter));
    };
    put(0x83);
    text(kLabel);
    text(name_of(codec));
    put(1);
  }
  ByteView view() const { return {bytes.data(), size}; }
};

void grow(Bytes& bytes, std::size_t size) {
  if (bytes.size() < size) bytes.resize(size);
}

std::uint8_t* put(ByteView bytes, std::uint8_t* out) {
  return std::copy(bytes.begin(), bytes.end(), out);
}

/// Parameter sets as they stand before the first slice, each behind a start code.
template <class Each>
void each_parameter_set(Codec codec, ByteView frame, Each each) {
  NalReader reader(frame);
  while (const auto unit = reader.next()) {
    if (is_parameter_set(codec, *unit)) {
      each(*unit);
    } else if (!is_passed_over(codec, *unit)) {
      return;
    }
  }
}

/// The ciphertext within a sealed frame, and what it is authenticated with. `scratch` holds what
/// had to be unescaped.
std::optional<Split> locate(Codec codec, ByteView sealed, Bytes& scratch) {
  if (sealed.size() > kMaxFrameBytes + kMaxFrameBytes / 2) return std::nullopt;
  if (!has_nal_units(codec)) return split(codec, sealed);
  NalReader reader(sealed);
  while (!reader.rest().empty() && is_passed_over(codec, reader.rest())) (void)reader.next();
  // All that is left: a start code in it makes unescape() fail, so nothing can follow that would
  // not be authenticated.
  auto unit = reader.rest();
  while (!unit.empty() && unit.back() == 0) unit = unit.first(unit.size() - 1);
  const auto shim = shim_of_unit(codec, unit);
  if (!shim) return std::nullopt;
  auto body = unit.subspan(shim->size);
  if (has_emulation(body)) {
    grow(scratch, body.size());
    const auto size = unescape(body, scratch.data());
    if (!size) return std::nullopt;
    body = ByteView(scratch).first(*size);
  }
  if (body.empty() || body.back() != kNalEnd) return std::nullopt;
  return Split{*shim, body.first(body.size() - 1)};
}

}  // namespace

std::optional<Outside> look_at(Codec codec, ByteView sealed, Bytes& scratch) {
  const auto found = locate(codec, sealed, scratch);
  if (!found) return std::nullopt;
  const auto header = sframe::parse_header(found->ciphertext);
  if (!header) return std::nullopt;
  return Outside{header->header.kid, found->shim.keyframe};
}

bool is_dtx(Codec codec, ByteView frame) {
  return codec == Codec::kOpus && frame.size() <= kMaxDtx;
}

std::uint64_t random_kid() {
  for (;;) {
    const std::uint64_t high = randombytes_random();
    if ((high >> 24U) != 0) return (high << 32U) | randombytes_random();
  }
}

FrameSealer::FrameSealer(Codec codec, std::optional<sframe::Sealer> outer,
                         std::optional<sframe::Sealer> inner)
    : codec_(codec),
      outer_(std::move(outer)),
      inner_(std::move(inner)),
      two_layers_(inner_.has_value()) {}

Verdict FrameSealer::seal(ByteView frame, Output& output) {
  if (frame.empty() || frame.size() > kMaxFrameBytes) return Verdict::kMalformed;
  const auto shim = shim_of(codec_, frame);
  if (!shim) return Verdict::kMalformed;
  if (!outer_ || (two_layers_ && !inner_)) return Verdict::kNoKey;

  auto plaintext = frame;
  std::size_t written = 0;
  if (two_layers_) {
    grow(inner_sealed_, inner_->sealed_size(frame.size()));
    const auto verdict = inner_->seal(frame, InnerMetadata(codec_).view(), inner_sealed_, written);
    if (verdict != Verdict::kOk) return verdict;
    plaintext = ByteView(inner_sealed_).first(written);
  }
  const auto size = outer_->sealed_size(plaintext.size());

  if (!has_nal_units(codec_)) {
    const auto length = codec_ == Codec::kAv1 ? rtc::av1::leb128(size) : rtc::av1::Leb128{};
    const auto total = shim->size + length.size + size;
    const auto out = output.reserve(total);
    if (out.size() < total) return Verdict::kMalformed;
    auto* at = put(shim->view(), out.data());
    at = put(length.view(), at);
    const auto verdict = outer_->seal(plaintext, shim->view(), {at, size}, written);
    if (verdict == Verdict::kOk) output.commit(total);
    return verdict;
  }

  // Sealed where it will stand, then searched: ciphertext of this size hardly ever needs an escape.
  auto before = kStartCode.size() + shim->size;
  if (shim->keyframe) {
    each_parameter_set(codec_, frame,
                       [&](ByteView unit) { before += kStartCode.size() + unit.size(); });
  }
  const auto put_clear = [&](std::uint8_t* at) {
    if (shim->keyframe) {
      each_parameter_set(codec_, frame,
                         [&](ByteView unit) { at = put(unit, put(kStartCode, at)); });
    }
    return put(shim->view(), put(kStartCode, at));
  };
  const auto out = output.reserve(before + size + 1 + Escapes::kMax);
  if (out.size() < before + size + 1 + Escapes::kMax) return Verdict::kMalformed;
  auto* body = put_clear(out.data());
  const auto verdict = outer_->seal(plaintext, shim->view(), {body, size}, written);
  if (verdict != Verdict::kOk) return verdict;
  body[size] = kNalEnd;
  const ByteView sealed(body, size + 1);
  const auto escapes = find_escapes(sealed);
  if (escapes.few) {
    escape_in_place(body, sealed.size(), escapes);
    output.commit(before + sealed.size() + escapes.count);
    return verdict;
  }
  outer_sealed_.assign(sealed.begin(), sealed.end());
  const auto total = before + outer_sealed_.size() + count_escapes(outer_sealed_);
  const auto larger = output.reserve(total);
  if (larger.size() < total) return Verdict::kMalformed;
  escape(outer_sealed_, put_clear(larger.data()));
  output.commit(total);
  return verdict;
}

FrameOpener::FrameOpener(Codec codec, std::shared_ptr<sframe::KeyStore> outer,
                         std::shared_ptr<sframe::KeyStore> inner)
    : codec_(codec), outer_(std::move(outer)), two_layers_(inner != nullptr) {
  if (inner) inner_.emplace(std::move(inner));
}

FrameOpener::Opened FrameOpener::open(ByteView sealed, Output& output) {
  Opened opened;
  const auto found = locate(codec_, sealed, body_);
  if (!found) return opened;
  const auto& [shim, body] = *found;
  opened.keyframe = shim.keyframe;

  waits_ = {};
  if (!two_layers_) {
    std::size_t written = 0;
    const auto out = output.reserve(body.size());
    opened.verdict = outer_.open(body, shim.view(), out, written, opened.kid);
    if (opened.verdict == Verdict::kOk) output.commit(written);
    return opened;
  }
  grow(inner_sealed_, body.size());
  opened.verdict = outer_.open(body, shim.view(), inner_sealed_, inner_size_, opened.kid);
  if (opened.verdict == Verdict::kOk) open_inner(opened, output);
  if (opened.inner && opened.verdict == Verdict::kNoKey) waits_ = opened;
  return opened;
}

FrameOpener::Opened FrameOpener::open_inner_again(Output& output) {
  auto opened = std::exchange(waits_, {});
  if (opened.verdict == Verdict::kNoKey && inner_) open_inner(opened, output);
  return opened;
}

void FrameOpener::open_inner(Opened& opened, Output& output) {
  opened.inner = true;
  std::size_t written = 0;
  const auto inner = ByteView(inner_sealed_).first(inner_size_);
  opened.verdict = inner_->open(inner, InnerMetadata(codec_).view(), output.reserve(inner.size()),
                                written, opened.kid);
  if (opened.verdict == Verdict::kOk) output.commit(written);
}

}  // namespace sotto::e2ee
