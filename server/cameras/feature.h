// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// The cameras of this server: from the configuration file and from the API.
#pragma once

#include "core/base/error.h"
#include "server/base/context.h"
#include "server/config/config.h"
#include "server/http/router.h"

#include <nlohmann/json_fwd.hpp>

#include <map>
#include <memory>
#include <string>

namespace sotto::camera {
class Camera;
}

namespace sotto::server {

/// GET and POST /v1/cameras; PUT and DELETE /v1/cameras/{id}; POST /v1/cameras/test.
///
/// Cameras of the file follow a reload: changed ones are made anew, all others stay untouched, with
/// their viewers. Events source.live and source.away; metrics sotto_camera_*.
class CamerasFeature : public Feature {
 public:
  explicit CamerasFeature(Context& context);
  ~CamerasFeature() override;
  void stop() override;

 private:
  struct Entry {
    CameraConfig config;
    bool from_file = false;
    std::shared_ptr<camera::Camera> camera;
    bool live = false;  ///< As last told on the bus.
  };

  void add_routes();
  void list(const ExchangePtr& exchange);
  void show(const ExchangePtr& exchange);
  void create(const ExchangePtr& exchange);
  void change(const ExchangePtr& exchange);
  void erase(const ExchangePtr& exchange);
  void test(const ExchangePtr& exchange);

  void load();
  void follow_config();
  Result<> add(const CameraConfig& config, bool from_file);
  void remove(std::string id);  // By value: callers name the entry by its own key.
  void on_change(const std::string& id);
  void collect();
  nlohmann::json to_json(const Entry& entry) const;

  Context& context_;
  std::map<std::string, Entry> cameras_;
  std::map<unsigned, std::shared_ptr<void>> probes_;
  unsigned next_probe_ = 1;
  std::shared_ptr<void> events_;
  /// What is posted or called back later checks that we are still there.
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace sotto::server
