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

 private:
  StateStore& state_;
  std::map<std::string, std::shared_ptr<rtc::Source>, std::less<>> sources_;
  std::map<std::string, std::uint64_t, std::less<>> numbers_;
  std::map<std::uint64_t, std::string> ids_;
  std::uint64_t next_ = 1;
};

}  // namespace

std::unique_ptr<Registry> make_registry(StateStore& state) {
  return std::make_unique<SourceRegistry>(state);
}

}  // namespace sotto::server
