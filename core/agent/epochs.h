// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The agent that turns key files into epochs: every sender gets a key of its own, derived from the
// file's key and a fresh KID, and another one by time, by count or on command; receivers get the
// keys of the KIDs they meet. An element never holds the file's key, only epochs'. Two agents with
// the same file give the same keys for the same KIDs, so sender and receiver may be far apart.
//
// No socket, no thread and no clock of its own.
#pragma once

#include "core/agent/message.h"
#include "core/e2ee/key_file.h"

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <vector>

namespace sotto::agent {

using Client = std::uint32_t;
using Time = std::chrono::steady_clock::time_point;

struct Policy {
  std::chrono::milliseconds every{0};      ///< 0: not by time.
  std::uint64_t frames = 1ULL << 24U;      ///< Far below AES-GCM's limits.
  std::chrono::milliseconds keep{10'000};  ///< How long receivers may open what is in flight.
};

struct Files {
  e2ee::FileKey outer;
  std::optional<e2ee::FileKey> inner;
};

/// KIDs under one file share their upper 16 bits, which are derived from its key.
inline constexpr std::uint64_t kFileMask = 0xFFFFULL << 48U;
Result<std::uint64_t> file_tag(const e2ee::FileKey& file);
/// HKDF-SHA-512 of the file's key, with the array ["sotto/epoch/v1", suite, KID] as info; 32 bytes.
Result<Secret> epoch_key(const e2ee::FileKey& file, std::uint64_t kid);

class Epochs {
 public:
  struct Letter {
    Client to;
    Secret bytes;
  };
  using Letters = std::vector<Letter>;

  static Result<Epochs> make(Policy policy, Files files);

  /// What a client says. An error ends its connection.
  Result<> received(Client client, const Message& message, Time now, Letters& out);
  void left(Client client) { clients_.erase(client); }
  /// A new epoch for every sender.
  Result<> rotate(Time now, Letters& out);
  /// Other files from now on; what was sealed under the old ones opens for Policy::keep.
  Result<> replace(Files files, Time now, Letters& out);
  /// Does what is due; when to call it again.
  Result<std::optional<Time>> tick(Time now, Letters& out);

 private:
  struct File {
    e2ee::FileKey key;
    std::uint64_t tag = 0;
  };
  struct Member {
    Role role = Role::kOpen;
    std::map<Layer, std::uint64_t> kids;  // Of a sender.
    Time since{};
  };
  struct Ending {
    Time at;
    Drop drop;
  };
  struct Retired {
    Time until;
    Layer layer;
    File file;
  };

  explicit Epochs(Policy policy) : policy_(policy) {}
  Result<> take(Files files);
  Result<> renew(Client client, Member& member, Time now, Letters& out);
  Result<OpenWith> opening(Layer layer, std::uint64_t kid) const;
  void to_receivers(const Message& message, Letters& out) const;

  Policy policy_;
  std::map<Layer, File> files_;
  std::vector<Retired> retired_;
  std::vector<Ending> endings_;
  std::map<Client, Member> clients_;
};

}  // namespace sotto::agent
