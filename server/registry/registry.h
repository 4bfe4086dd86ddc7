// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// The one registry of sources: cameras, mounts, mountpoints and room feeds all live here.
#pragma once

#include "core/base/error.h"
#include "core/rtc/source.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace sotto::server {

/// Somebody's hold on a source's id: what may be published there.
struct SourceClaim {
  std::string holder;  ///< For people: "the sealed group team".
  /// Only what is sealed end to end. Else it may become sealed, and then stays so.
  bool sealed_only = false;
};

/// How a refusal of a claim's begins, as in docs/sealed-groups.md: what is meant is typed, though
/// it is a conflict like others.
inline constexpr const char* kSealedRequired = "sealed-required: ";

/// Main context only.
class Registry {
 public:
  virtual ~Registry() = default;
  /// kExists when the id is taken, kInvalid when it is not [a-z0-9-]{1,64}.
  virtual Result<> add(std::string id, std::shared_ptr<rtc::Source> source) = 0;
  virtual void remove(std::string_view id) = 0;
  virtual std::shared_ptr<rtc::Source> find(std::string_view id) const = 0;
  virtual std::shared_ptr<rtc::Source> find(std::uint64_t number) const = 0;
  virtual std::vector<std::shared_ptr<rtc::Source>> all() const = 0;  ///< By id.
  /// The stable number of an id, kept in state.db, made on first use; survives restarts.
  virtual std::uint64_t number_of(std::string_view id) = 0;

  /// Holds for as long as the handle lives. kExists when somebody has claimed the id; kConflict
  /// when the source that is there can be watched in the clear, and the claim takes only what is
  /// sealed.
  virtual Result<std::shared_ptr<void>> claim(const std::string& id, SourceClaim claim) = 0;
  /// kConflict, beginning with kSealedRequired, when a claim on this id forbids it to be published
  /// in the clear.
  virtual Result<> may_be_clear(std::string_view id) const = 0;
};

}  // namespace sotto::server
