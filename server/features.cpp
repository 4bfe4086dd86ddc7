// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// The only file that knows every feature: one include and one line each.
#include "server/auth/feature.h"
#include "server/cameras/feature.h"
#include "server/feature_list.h"
#include "server/groups/feature.h"
#include "server/janus/feature.h"
#include "server/metrics/feature.h"
#include "server/pages/feature.h"
#include "server/sources/feature.h"
#include "server/status/feature.h"
#include "server/whep/feature.h"
#include "server/whip/feature.h"

namespace sotto::server {

std::vector<std::unique_ptr<Feature>> make_features(Context& context) {
  std::vector<std::unique_ptr<Feature>> features;
  features.push_back(std::make_unique<MetricsFeature>(context));
  features.push_back(std::make_unique<AuthFeature>(context));
  features.push_back(std::make_unique<StatusFeature>(context));
  features.push_back(std::make_unique<PagesFeature>(context));
  features.push_back(std::make_unique<WhepFeature>(context));
  // Stopped before WHEP (the last is first): direct publishers lose us, and not their viewers.
  features.push_back(std::make_unique<WhipFeature>(context));
  features.push_back(std::make_unique<GroupsFeature>(context));
  features.push_back(std::make_unique<CamerasFeature>(context));
  features.push_back(std::make_unique<SourcesFeature>(context));
  features.push_back(std::make_unique<janus::JanusFeature>(context));
  return features;
}

}  // namespace sotto::server
