// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// Counters and gauges for /metrics, by prometheus-cpp.
#pragma once

#include <functional>
#include <map>
#include <string>

namespace sotto::server {

/// Thread safe. Names follow Prometheus' customs: sotto_<what>_<unit>[_total].
class Metrics {
 public:
  using Labels = std::map<std::string, std::string>;
  virtual ~Metrics() = default;
  virtual void count(const std::string& name, const std::string& help, const Labels& labels,
                     double by = 1) = 0;
  virtual void gauge(const std::string& name, const std::string& help, const Labels& labels,
                     double value) = 0;
  virtual void observe(const std::string& name, const std::string& help, const Labels& labels,
                       double value) = 0;  ///< Histogram of seconds.
  virtual void remove(const std::string& name,
                      const Labels& labels) = 0;  ///< A gauge whose subject is gone.
  /// Runs before each scrape, on the main context, to set gauges that are read rather than kept.
  virtual void on_scrape(std::function<void()> collect) = 0;
  /// Runs the collectors and gives everything in Prometheus' text format. Main context only.
  virtual std::string scrape() = 0;
};

}  // namespace sotto::server
