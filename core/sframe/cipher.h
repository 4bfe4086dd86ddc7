// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
//
// One suite's encryption under one key: AEAD, or AES-CTR and HMAC (RFC 9605 section 4.5.1). The
// OpenSSL contexts are made once; a frame only sets the nonce and allocates nothing.
#pragma once

#include "core/sframe/key_schedule.h"

#include <memory>

namespace sotto::sframe {

class Cipher {
 public:
  enum class Use { kSeal, kOpen };

  static Result<Cipher> make(Suite suite, Use use, std::uint64_t kid, ByteView base_key);
  /// With keys already derived.
  static Result<Cipher> from_keys(Suite suite, Use use, const FrameKeys& keys);
  Cipher(Cipher&&) noexcept;
  Cipher& operator=(Cipher&&) noexcept;
  ~Cipher();

  const SuiteInfo& suite() const { return *suite_; }

  /// Associated data comes in two pieces, so that nobody has to join them: header, then metadata.
  struct Aad {
    ByteView header;
    ByteView metadata;
  };
  /// `out` holds plaintext.size() + nt bytes and may not overlap the plaintext unless it begins
  /// there. False only when the library fails.
  bool seal(std::uint64_t ctr, const Aad& aad, ByteView plaintext, std::uint8_t* out);
  /// `sealed` ends with the tag; `out` holds sealed.size() - nt bytes. False when it is not
  /// authentic; `out` then holds zeros.
  bool open(std::uint64_t ctr, const Aad& aad, ByteView sealed, std::uint8_t* out);

 private:
  struct Contexts;
  Cipher(const SuiteInfo& suite, std::unique_ptr<Contexts> contexts);
  void tag_ctr(const Aad& aad, ByteView ciphertext, const std::uint8_t* nonce, std::uint8_t* tag);

  const SuiteInfo* suite_;
  std::unique_ptr<Contexts> contexts_;
};

}  // namespace sotto::sframe
