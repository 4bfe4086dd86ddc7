// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "server/registry/source_registry.h"

#include "core/base/random.h"
#include "server/base/log.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <utility>

namespace sotto::server {
namespace {

constexpr std::size_t kMaxIdLength = 64;
constexpr std::uint64_t kMaxNumber = (std::uint64_t{1} << 53U) - 1;
/// Numbers are remembered for ever, so strangers must not be able to make them up without end.
constexpr std::size_t kMaxNumbers = 100'000;
constexpr const char* kKind = "source-number";
constexpr const char* kPublished = "whip";  // SourceInfo::type

bool valid_id(std::string_view id) {
  return !id.empty() && id.size() <= kMaxIdLength && std::all_of(id.begin(), id.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
  });
}

class SourceRegistry : public Registry {
 public:
  explicit SourceRegistry(StateStore& state) : state_(state) {
    for (const auto& [id, text] : state_.all(kKind)) {
      std::uint64_t number = 0;
      const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
      if (parsed.ec == std::errc() && number > 0 && number <= kMaxNumber) {
        numbers_.emplace(id, number);
        next_ = std::max(next_, number + 1);
      }
    }
  }

  Result<> add(std::string id, std::shared_ptr<rtc::Source> source) override {
    if (!valid_id(id)) {
      return fail(ErrorCode::kInvalid, "a source's id is 1 to 64 of a-z, 0-9 and '-'");
    }
    if (source == nullptr) return fail(ErrorCode::kInternal, "no source given for " + id);
    // Places where somebody publishes tell whether it is sealed when he does; nothing else can be.
    if (source->info().type != kPublished) {
      if (const auto clear = may_be_clear(id); !clear) return clear;
    }
    const auto [place, added] = sources_.try_emplace(id, std::move(source));
    if (!added) return fail(ErrorCode::kExists, "there is already a source called " + id);
    ids_[number_of(id)] = id;
    return {};
  }

  void remove(std::string_view id) override {
    const auto found = sources_.find(id);
    if (found == sources_.end()) return;
    ids_.erase(number_of(id));
    sources_.erase(found);
  }

  std::shared_ptr<rtc::Source> find(std::string_view id) const override {
    const auto found = sources_.find(id);
    return found == sources_.end() ? nullptr : found->second;
  }

  std::shared_ptr<rtc::Source> find(std::uint64_t number) const override {
    const auto found = ids_.find(number);
    return found == ids_.end() ? nullptr : find(found->second);
  }

  std::vector<std::shared_ptr<rtc::Source>> all() const override {
    std::vector<std::shared_ptr<rtc::Source>> list;
    list.reserve(sources_.size());
    for (const auto& [id, source] : sources_) list.push_back(source);
    return list;
  }

  std::uint64_t number_of(std::string_view id) override {
    const auto found = numbers_.find(id);
    if (found != numbers_.end()) return found->second;
    // Small and in order, because people type them. A full table still answers, unremembered.
    const std::uint64_t number = numbers_.size() < kMaxNumbers ? next_++ : random_id53();
    if (numbers_.size() < kMaxNumbers) {
      numbers_.emplace(id, number);
      if (const auto stored = state_.put(kKind, std::string(id), std::to_string(number)); !stored) {
        log::warning("registry", "the number of a source will not survive a restart",
                     {{"id", std::string(id)}, {"error", stored.error().message}});
      }
    }
    return number;
  }

  Result<std::shared_ptr<void>> claim(const std::string& id, SourceClaim claim) override {
    if (!valid_id(id)) {
      return fail(ErrorCode::kInvalid, "a source's id is 1 to 64 of a-z, 0-9 and '-'");
    }
    auto& known = claims_[id];
    if (const auto held = known.lock()) {
      return fail(ErrorCode::kExists, id + " is announced in " + held->holder + " already");
    }
    const auto source = find(id);
    const bool sealed = source != nullptr && source->info().sealed;
    if (claim.sealed_only && source != nullptr && !sealed && in_the_clear(source->info())) {
      claims_.erase(id);
      return fail(ErrorCode::kConflict, id + " is published in the clear, and " + claim.holder +
                                            " takes only what is sealed end to end");
    }
    claim.sealed_only = claim.sealed_only || sealed;
    // The handle's end is the claim's; the entry goes with it if we are still there.
    std::shared_ptr<const SourceClaim> held(
        new SourceClaim(std::move(claim)),
        [this, id, alive = std::weak_ptr(alive_)](const SourceClaim* gone) {
          delete gone;
          if (!alive.expired()) claims_.erase(id);
        });
    known = held;
    return std::const_pointer_cast<SourceClaim>(held);
  }

  Result<> may_be_clear(std::string_view id) const override {
    const auto found = claims_.find(id);
    const auto claim = found == claims_.end() ? nullptr : found->second.lock();
    if (claim == nullptr) return {};
    const auto source = find(id);
    if (!claim->sealed_only && (source == nullptr || !source->info().sealed)) return {};
    return fail(ErrorCode::kConflict, kSealedRequired + std::string(id) + " is announced in " +
                                          claim->holder +
                                          ", so it has to be sealed end to end: it is not taken in "
                                          "the clear");
  }

 private:
  /// A place where somebody may publish is in the clear only while somebody does.
  static bool in_the_clear(const rtc::SourceInfo& info) {
    return info.type != kPublished || info.state == rtc::SourceState::kLive;
  }

  StateStore& state_;
  std::map<std::string, std::shared_ptr<rtc::Source>, std::less<>> sources_;
  std::map<std::string, std::uint64_t, std::less<>> numbers_;
  std::map<std::uint64_t, std::string> ids_;
  std::uint64_t next_ = 1;
  std::map<std::string, std::weak_ptr<const SourceClaim>, std::less<>> claims_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace

std::unique_ptr<Registry> make_registry(StateStore& state) {
  return std::make_unique<SourceRegistry>(state);
}

}  // namespace sotto::server
