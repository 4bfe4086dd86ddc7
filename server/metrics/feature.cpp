// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "server/metrics/feature.h"

#include "server/base/events.h"
#include "server/http/router.h"
#include "server/metrics/metrics.h"
#include "server/registry/registry.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace sotto::server {
namespace {

constexpr const char* kContentType = "text/plain; version=0.0.4; charset=utf-8";

double entries_of(const char* directory) {
  std::error_code error;
  double count = 0;
  for (std::filesystem::directory_iterator it(directory, error), end; !error && it != end;
       it.increment(error)) {
    ++count;
  }
  return count;
}

double resident_bytes() {
  std::ifstream statm("/proc/self/statm");
  double total = 0;
  double resident = 0;
  statm >> total >> resident;
  return resident * static_cast<double>(sysconf(_SC_PAGESIZE));
}

}  // namespace

MetricsFeature::MetricsFeature(Context& context) {
  Metrics& metrics = context.metrics;
  metrics.gauge("sotto_build_info", "Always 1; the version is the label.",
                {{"version", SOTTO_VERSION}}, 1);
  metrics.on_scrape([&metrics, &registry = context.registry] {
    metrics.gauge("process_resident_memory_bytes", "Memory in use.", {}, resident_bytes());
    metrics.gauge("process_threads", "Threads.", {}, entries_of("/proc/self/task"));
    metrics.gauge("process_open_fds", "Open descriptors.", {}, entries_of("/proc/self/fd"));
    metrics.gauge("sotto_sources", "Sources known.", {},
                  static_cast<double>(registry.all().size()));
  });
  events_ = context.events.listen([&metrics](const Event& event) {
    metrics.count("sotto_events_total", "What happened, by name.", {{"event", event.name}});
  });
  context.router.add(
      Listener::kMain, "GET", "/metrics", Access::loopback("metrics:read"), {},
      [&metrics](const ExchangePtr& exchange) {
        exchange->respond({.status = 200, .content_type = kContentType, .body = metrics.scrape()});
      });
}

}  // namespace sotto::server
