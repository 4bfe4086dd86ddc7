// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/sframe/context.h"

#include <algorithm>
#include <limits>

namespace sotto::sframe {

const char* name_of(Verdict verdict) {
  switch (verdict) {
    case Verdict::kOk: return "ok";
    case Verdict::kMalformed: return "malformed";
    case Verdict::kNoKey: return "no-key";
    case Verdict::kReplayed: return "replayed";
    case Verdict::kForged: return "forged";
    case Verdict::kExhausted: return "exhausted";
    case Verdict::kFailed: return "failed";
  }
  return "failed";
}

Result<Sealer> Sealer::make(Suite suite, std::uint64_t kid, ByteView base_key,
                            std::uint64_t first_ctr) {
  auto cipher = Cipher::make(suite, Cipher::Use::kSeal, kid, base_key);
  if (!cipher) return tl::unexpected<Error>(cipher.error());
  return Sealer(std::move(*cipher), kid, first_ctr);
}

Verdict Sealer::seal(ByteView plaintext, ByteView metadata, std::span<std::uint8_t> out,
                     std::size_t& written) {
  written = 0;
  if (exhausted_) return Verdict::kExhausted;
  if (out.size() < sealed_size(plaintext.size())) return Verdict::kMalformed;
  const auto ctr = ctr_;
  if (ctr_ == std::numeric_limits<std::uint64_t>::max()) {
    exhausted_ = true;
  } else {
    ++ctr_;
  }
  const auto header = encode({kid_, ctr});
  std::copy_n(header.bytes.begin(), header.size, out.begin());
  if (!cipher_.seal(ctr, {header.view(), metadata}, plaintext, out.data() + header.size)) {
    return Verdict::kFailed;
  }
  written = header.size + plaintext.size() + suite().nt;
  return Verdict::kOk;
}

Result<Opener> Opener::make(Suite suite, std::uint64_t kid, ByteView base_key) {
  auto cipher = Cipher::make(suite, Cipher::Use::kOpen, kid, base_key);
  if (!cipher) return tl::unexpected<Error>(cipher.error());
  return Opener(std::move(*cipher), kid);
}

Verdict Opener::open(ByteView sealed, ByteView metadata, std::span<std::uint8_t> out,
                     std::size_t& written) {
  written = 0;
  const auto parsed = parse_header(sealed);
  if (!parsed || sealed.size() - parsed->size < suite().nt) return Verdict::kMalformed;
  if (parsed->header.kid != kid_) return Verdict::kNoKey;
  const auto size = sealed.size() - parsed->size - suite().nt;
  if (out.size() < size) return Verdict::kMalformed;
  const auto ctr = parsed->header.ctr;
  if (!window_.is_fresh(ctr)) return Verdict::kReplayed;
  if (!cipher_.open(ctr, {sealed.first(parsed->size), metadata}, sealed.subspan(parsed->size),
                    out.data())) {
    return Verdict::kForged;
  }
  window_.accept(ctr);
  written = size;
  return Verdict::kOk;
}

}  // namespace sotto::sframe
