// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The handshake between two members and the channel it ends in (docs/e2ee-protocol.md,
// "Handshake" and "Letters"). Two independent layers: X25519 and P-256.
#pragma once

#include "core/keys/agreement.h"
#include "core/keys/continuity.h"
#include "core/keys/crypto.h"
#include "core/keys/identity.h"
#include "core/keys/prekeys.h"

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace sotto::keys {

inline constexpr std::uint64_t kProtocolVersion = 1;
inline constexpr std::size_t kMaxGroup = 64;
inline constexpr std::size_t kMaxVersions = 8;
inline constexpr std::size_t kMaxSuites = 16;

/// What both sides know before they begin.
struct Pairing {
  std::string group;
  Bytes session;
  std::uint16_t initiator = 0;
  std::uint16_t responder = 0;
  std::vector<std::uint16_t> suites;  ///< Ours, rising.
  ByteView group_secret;              ///< 32 bytes or empty.
};

/// Both layers' keys after a handshake that was confirmed.
class Channel {
 public:
  struct Letter {
    Secret box1;
    Secret box2;  ///< Empty when the letter had none.
  };

  Result<Bytes> seal(ByteView box1, ByteView box2 = {});
  /// Takes each letter once, in the order they were sent; gaps are allowed.
  Result<Letter> open(ByteView letter);

  bool initiator() const { return initiator_; }
  const Sha512& transcript() const { return transcript_; }
  /// key(1, "sas") and key(2, "sas").
  ByteView sas_secret() const { return sas_.view(); }
  /// key(1, "retained") and key(2, "retained").
  Secret fresh_retained() const { return retained_.clone(); }
  /// The retained secret that went in, or empty.
  ByteView used_retained() const { return used_.view(); }
  /// We had retained secrets of the other and none was taken.
  bool continuity_broken() const { return broken_; }
  /// The other can open these; rising.
  const std::vector<std::uint16_t>& suites() const { return suites_; }

 private:
  friend class Initiator;
  friend class Responder;
  friend struct Schedule;
  std::string group_;
  Bytes session_;
  std::uint16_t own_ = 0;
  std::uint16_t other_ = 0;
  bool initiator_ = false;
  std::array<Secret, kLayers> send_;
  std::array<Secret, kLayers> receive_;
  std::uint64_t next_ = 0;      // Sequence number of the next letter.
  std::uint64_t expected_ = 0;  // The least one that is still taken.
  Sha512 transcript_{};
  Secret sas_;
  Secret retained_;
  Secret used_;
  bool broken_ = false;
  std::vector<std::uint16_t> suites_;
};

/// What a side draws for one handshake.
struct Ephemerals {
  std::array<AgreementKey, kLayers> keys;
  Bytes filler;  ///< 32 bytes: names of retained secrets that are not there.
  static Result<Ephemerals> generate();
};

class Initiator {
 public:
  /// `retained` may be null. What is borrowed must live as long as this.
  static Result<Initiator> start(const Pairing& pairing, const Identity& identity,
                                 const PrekeyBundle& responder, const Contact* retained,
                                 Ephemerals ephemerals);
  const Bytes& hello() const { return hello_; }
  struct Done {
    Bytes finish;
    Channel channel;
  };
  Result<Done> finish(ByteView reply, const Identity& identity) const;

 private:
  Pairing pairing_;
  PublicIdentity own_;
  std::optional<PrekeyBundle> responder_;
  Ephemerals ephemerals_;
  Secret group_secret_;
  Secret rs1_;
  Secret rs2_;
  Bytes hello_;
  explicit Initiator(PublicIdentity own) : own_(std::move(own)) {}
};

class Responder {
 public:
  /// `initiator` is the identity the roster gives the other.
  static Result<Responder> answer(const Pairing& pairing, const Identity& identity,
                                  const Prekeys& prekeys, const PublicIdentity& initiator,
                                  const Contact* retained, Ephemerals ephemerals, ByteView hello);
  const Bytes& reply() const { return reply_; }
  /// The other's confirmation. The channel can be taken once.
  Result<Channel> finish(ByteView finish);

 private:
  explicit Responder(PublicIdentity initiator) : initiator_(std::move(initiator)) {}
  PublicIdentity initiator_;
  Bytes reply_;
  Channel channel_;
  std::array<Secret, kLayers> confirm_;
};

}  // namespace sotto::keys
