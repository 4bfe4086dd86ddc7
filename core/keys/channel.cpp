// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/keys/channel.h"

#include "core/base/cbor.h"

namespace sotto::keys {
namespace {

constexpr std::string_view kLetterLabel = "sotto/letter/v1";
constexpr std::size_t kMaxBox = 1024;
constexpr std::uint64_t kMaxSeq = (1ULL << 53U) - 1;

Bytes associated(const std::string& group, ByteView session, std::uint16_t from, std::uint16_t to,
                 std::uint64_t seq, unsigned layer) {
  return cbor::Writer()
      .array(7)
      .text("sotto/box/v1")
      .text(group)
      .bytes(session)
      .number(from)
      .number(to)
      .number(seq)
      .number(layer)
      .take();
}

}  // namespace

Result<Bytes> Channel::seal(ByteView box1, ByteView box2) {
  if (next_ > kMaxSeq) return fail(ErrorCode::kConflict, "a channel is used up");
  const auto seq = next_++;
  cbor::Writer out;
  out.array(4).text(kLetterLabel).number(seq);
  const ByteView plain[kLayers] = {box1, box2};
  for (unsigned layer = 1; layer <= kLayers; ++layer) {
    if (plain[layer - 1].empty()) {
      out.bytes({});
      continue;
    }
    const auto box =
        seal_box(send_[layer - 1].view(), seq,
                 associated(group_, session_, own_, other_, seq, layer), plain[layer - 1]);
    if (!box) return tl::unexpected<Error>(box.error());
    out.bytes(*box);
  }
  return out.take();
}

Result<Channel::Letter> Channel::open(ByteView letter) {
  cbor::Reader in(letter);
  if (!in.labelled(4, kLetterLabel)) return fail(ErrorCode::kParse, "not a letter");
  const auto seq = in.number();
  const auto box1 = in.bytes(kMaxBox);
  const auto box2 = in.bytes(kMaxBox);
  if (!seq || *seq > kMaxSeq || !box1 || !box2 || !in.at_end()) {
    return fail(ErrorCode::kParse, "not a letter");
  }
  if (*seq < expected_) return fail(ErrorCode::kConflict, "a letter that came before or too late");
  Letter out;
  const ByteView boxes[kLayers] = {*box1, *box2};
  Secret* const plain[kLayers] = {&out.box1, &out.box2};
  for (unsigned layer = 1; layer <= kLayers; ++layer) {
    if (layer == 2 && boxes[1].empty()) break;
    auto opened =
        open_box(receive_[layer - 1].view(), *seq,
                 associated(group_, session_, other_, own_, *seq, layer), boxes[layer - 1]);
    if (!opened) return tl::unexpected<Error>(opened.error());
    *plain[layer - 1] = std::move(*opened);
  }
  expected_ = *seq + 1;
  return out;
}

}  // namespace sotto::keys
