// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "server/metrics/prometheus_metrics.h"

#include "server/base/log.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <exception>
#include <mutex>
#include <utility>
#include <vector>

namespace sotto::server {
namespace {

/// Label values come from ids and codecs; a mistake that put something unbounded there must cost
/// metrics, not memory.
constexpr std::size_t kMaxSeriesPerName = 10'000;

/// From one millisecond to half a minute: a first frame is expected within half a second.
prometheus::Histogram::BucketBoundaries seconds_buckets() {
  return {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30};
}

template <class Kind>
struct Series {
  prometheus::Family<Kind>* family = nullptr;
  std::map<Metrics::Labels, Kind*> members;
};

class Kept : public Metrics {
 public:
  void count(const std::string& name, const std::string& help, const Labels& labels,
             double by) override {
    const std::lock_guard lock(mutex_);
    if (auto* c = find(counters_, name, help, labels, prometheus::BuildCounter())) {
      c->Increment(by);
    }
  }
  void gauge(const std::string& name, const std::string& help, const Labels& labels,
             double value) override {
    const std::lock_guard lock(mutex_);
    if (auto* g = find(gauges_, name, help, labels, prometheus::BuildGauge())) g->Set(value);
  }
  void observe(const std::string& name, const std::string& help, const Labels& labels,
               double value) override {
    const std::lock_guard lock(mutex_);
    if (auto* h = find(histograms_, name, help, labels, prometheus::BuildHistogram(),
                       seconds_buckets())) {
      h->Observe(value);
    }
  }
  void remove(const std::string& name, const Labels& labels) override {
    const std::lock_guard lock(mutex_);
    const auto series = gauges_.find(name);
    if (series == gauges_.end()) return;
    const auto member = series->second.members.find(labels);
    if (member == series->second.members.end()) return;
    series->second.family->Remove(member->second);
    series->second.members.erase(member);
  }
  void on_scrape(std::function<void()> collect) override {
    collectors_.push_back(std::move(collect));
  }
  std::string scrape() override {
    for (const auto& collect : collectors_) collect();
    return prometheus::TextSerializer().Serialize(registry_.Collect());
  }

 private:
  template <class Kind, class Builder, class... Args>
  Kind* find(std::map<std::string, Series<Kind>>& all, const std::string& name,
             const std::string& help, const Labels& labels, Builder builder, Args... args) {
    auto& series = all[name];
    const auto known = series.members.find(labels);
    if (known != series.members.end()) return known->second;
    if (series.members.size() >= kMaxSeriesPerName) return nullptr;
    try {
      if (series.family == nullptr) {
        series.family = &builder.Name(name).Help(help).Register(registry_);
      }
      Kind* made = &series.family->Add(labels, args...);
      series.members.emplace(labels, made);
      return made;
    } catch (const std::exception& refused) {  // prometheus-cpp throws on names it does not like.
      log::error("metrics", "not a usable metric", {{"name", name}, {"error", refused.what()}});
      return nullptr;
    }
  }

  std::mutex mutex_;  // Protects the three maps; the library locks for itself.
  prometheus::Registry registry_;
  std::map<std::string, Series<prometheus::Counter>> counters_;
  std::map<std::string, Series<prometheus::Gauge>> gauges_;
  std::map<std::string, Series<prometheus::Histogram>> histograms_;
  std::vector<std::function<void()>> collectors_;  // Main context only.
};

}  // namespace

std::unique_ptr<Metrics> make_metrics() { return std::make_unique<Kept>(); }

}  // namespace sotto::server
