// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "server/cameras/feature.h"

#include "core/base/json.h"
#include "pipelines/camera/camera.h"
#include "pipelines/camera/probe.h"
#include "pipelines/camera/reaper.h"
#include "server/base/events.h"
#include "server/base/log.h"
#include "server/base/state_store.h"
#include "server/cameras/settings.h"
#include "server/metrics/metrics.h"
#include "server/registry/registry.h"

#include <nlohmann/json.hpp>

#include <set>
#include <utility>

namespace sotto::server {
namespace {

using nlohmann::json;

constexpr const char* kKind = "camera";  // In the state store.
constexpr const char* kDemoId = "demo";
constexpr std::size_t kMaxCameras = 1000;
// Each is a connection somebody made us open.
constexpr std::size_t kMaxProbes = 4;
constexpr std::size_t kMaxBody = 16U << 10U;
constexpr std::chrono::milliseconds kGoodbye{5'000};

double seconds(std::chrono::nanoseconds time) {
  return std::chrono::duration<double>(time).count();
}

CameraConfig demo_camera() {
  CameraConfig demo;
  demo.id = kDemoId;
  demo.title = "Demo camera";
  demo.url = "demo:";
  return demo;
}

// The file's cameras, the built-in one among them.
std::vector<CameraConfig> configured(const Config& config) {
  std::vector<CameraConfig> cameras = config.cameras;
  if (config.demo_camera) {
    bool taken = false;
    for (const auto& camera : cameras) taken = taken || camera.id == kDemoId;
    if (!taken) cameras.push_back(demo_camera());
  }
  return cameras;
}

}  // namespace

CamerasFeature::CamerasFeature(Context& context) : context_(context) {
  load();
  add_routes();
  events_ = context.events.listen([this](const Event& event) {
    if (event.name == "config.reloaded") follow_config();
  });
  context.metrics.on_scrape([this, alive = std::weak_ptr<bool>(alive_)] {
    if (!alive.expired()) collect();
  });
}

CamerasFeature::~CamerasFeature() {
  stop();
  // Connections end on threads of their own; GStreamer must not go before them.
  if (!camera::wait_for_reaper(kGoodbye)) {
    log::warning("cameras", "a connection is still open at the end");
  }
}

void CamerasFeature::stop() {
  alive_.reset();
  events_.reset();
  probes_.clear();
  while (!cameras_.empty()) remove(cameras_.begin()->first);
}

// -- Which cameras there are -------------------------------------------------------------------

void CamerasFeature::load() {
  follow_config();
  for (const auto& [id, text] : context_.state.all(kKind)) {
    auto config = camera_from_json(text);
    const auto added = config ? add(*config, false) : Result<>(tl::unexpected(config.error()));
    if (!added) {
      log::warning("cameras", "stored camera left out",
                   {{"id", id}, {"why", added.error().message}});
    }
  }
}

void CamerasFeature::follow_config() {
  const auto wanted = configured(context_.config);
  std::set<std::string> gone;
  for (const auto& [id, entry] : cameras_) {
    if (entry.from_file) gone.insert(id);
  }
  for (const CameraConfig& config : wanted) {
    gone.erase(config.id);
    if (auto known = cameras_.find(config.id); known != cameras_.end()) {
      if (!known->second.from_file || known->second.config == config) continue;
      remove(config.id);
    }
    if (auto added = add(config, true); !added) {
      log::error("cameras", "camera of the configuration left out",
                 {{"id", config.id}, {"why", added.error().message}});
    }
  }
  for (const std::string& id : gone) remove(id);
}

Result<> CamerasFeature::add(const CameraConfig& config, bool from_file) {
  if (cameras_.contains(config.id)) return fail(ErrorCode::kExists, "id is taken");
  if (cameras_.size() >= kMaxCameras) return fail(ErrorCode::kTooLarge, "too many cameras");
  auto options = camera_options(config, 0);
  if (!options) return tl::unexpected(options.error());
  if (context_.registry.find(config.id)) return fail(ErrorCode::kExists, "id is taken");
  options->number = context_.registry.number_of(config.id);
  auto camera = camera::Camera::create(context_.loop, std::move(*options));
  if (auto added = context_.registry.add(config.id, camera); !added) return added;
  camera->on_change([this, id = config.id, alive = std::weak_ptr<bool>(alive_)] {
    if (!alive.expired()) on_change(id);
  });
  cameras_[config.id] = {config, from_file, std::move(camera), false};
  log::info("cameras", "camera added", {{"id", config.id}});
  return {};
}

void CamerasFeature::remove(std::string id) {
  const auto found = cameras_.find(id);
  if (found == cameras_.end()) return;
  Entry entry = std::move(found->second);
  cameras_.erase(found);
  entry.camera->on_change({});
  context_.registry.remove(id);
  entry.camera->close();
  const auto gone = [&](const char* name) { context_.metrics.remove(name, {{"camera", id}}); };
  for (const char* name :
       {"sotto_camera_live", "sotto_camera_delay_seconds", "sotto_camera_drift_seconds",
        "sotto_camera_viewers", "sotto_camera_transcodes", "sotto_camera_restarts",
        "sotto_camera_connections"}) {
    gone(name);
  }
  log::info("cameras", "camera removed", {{"id", id}});
}

void CamerasFeature::on_change(const std::string& id) {
  const auto found = cameras_.find(id);
  if (found == cameras_.end()) return;
  Entry& entry = found->second;
  const auto info = entry.camera->info();
  const bool live = info.state == rtc::SourceState::kLive;
  const bool away =
      info.state == rtc::SourceState::kAway || info.state == rtc::SourceState::kFailed;
  if (live == entry.live && !away) return;
  if (live && !entry.live) {
    entry.live = true;
    log::info("cameras", "live", {{"id", id}});
    context_.events.publish("source.live", {{"id", id}});
  } else if (away) {
    entry.live = false;
    log::warning("cameras", "away", {{"id", id}, {"why", info.reason}});
    context_.events.publish("source.away", {{"id", id}, {"reason", info.reason}});
  } else {
    entry.live = false;  // Idle: nobody looks.
  }
}

void CamerasFeature::collect() {
  for (const auto& [id, entry] : cameras_) {
    const auto stats = entry.camera->stats();
    const auto info = entry.camera->info();
    const auto gauge = [&](const char* name, const char* help, double value) {
      context_.metrics.gauge(name, help, {{"camera", id}}, value);
    };
    gauge("sotto_camera_live", "1 while pictures come in",
          info.state == rtc::SourceState::kLive ? 1 : 0);
    gauge("sotto_camera_delay_seconds", "From the camera's packet to its viewers' queue",
          seconds(std::max(stats.main.delay, stats.sub.delay)));
    gauge("sotto_camera_drift_seconds",
          "How much later than at first pictures come in, by the camera's own clock",
          seconds(std::max(stats.main.drift, stats.sub.drift)));
    gauge("sotto_camera_viewers", "Feeds that are open", static_cast<double>(stats.viewers));
    gauge("sotto_camera_transcodes", "Transcodes that run",
          static_cast<double>(stats.main.transcodes + stats.sub.transcodes));
    gauge("sotto_camera_restarts", "Live connections that broke since the start",
          static_cast<double>(stats.main.restarts + stats.sub.restarts));
    gauge("sotto_camera_connections", "Connections tried since the start",
          static_cast<double>(stats.main.connections + stats.sub.connections));
  }
}

// -- Routes ------------------------------------------------------------------------------------

void CamerasFeature::add_routes() {
  const auto route = [this](const char* method, const char* path,
                            void (CamerasFeature::*handler)(const ExchangePtr&)) {
    context_.router.add(
        Listener::kMain, method, path, Access::with("admin"), {.max_body = kMaxBody},
        [this, handler](const ExchangePtr& exchange) { (this->*handler)(exchange); });
  };
  route("GET", "/v1/cameras", &CamerasFeature::list);
  route("POST", "/v1/cameras", &CamerasFeature::create);
  route("POST", "/v1/cameras/test", &CamerasFeature::test);
  route("GET", "/v1/cameras/{id}", &CamerasFeature::show);
  route("PUT", "/v1/cameras/{id}", &CamerasFeature::change);
  route("DELETE", "/v1/cameras/{id}", &CamerasFeature::erase);
}

json CamerasFeature::to_json(const Entry& entry) const {
  json out = camera_to_public_json(entry.config);
  const auto info = entry.camera->info();
  out["state"] = rtc::name_of(info.state);
  out["reason"] = info.reason;
  out["viewers"] = info.viewers;
  out["editable"] = !entry.from_file;
  return out;
}

void CamerasFeature::list(const ExchangePtr& exchange) {
  json cameras = json::array();
  for (const auto& [id, entry] : cameras_) cameras.push_back(to_json(entry));
  exchange->respond(HttpResponse::json(200, json{{"cameras", cameras}}.dump()));
}

void CamerasFeature::show(const ExchangePtr& exchange) {
  const auto found = cameras_.find(exchange->request().params.at("id"));
  if (found == cameras_.end()) {
    exchange->respond(problem({ErrorCode::kNotFound, "no such camera"}));
    return;
  }
  exchange->respond(HttpResponse::json(200, to_json(found->second).dump()));
}

void CamerasFeature::create(const ExchangePtr& exchange) {
  auto config = camera_from_json(exchange->request().body);
  if (!config) {
    exchange->respond(problem(config.error()));
    return;
  }
  if (auto added = add(*config, false); !added) {
    exchange->respond(problem(added.error()));
    return;
  }
  const auto stored = context_.state.put(kKind, config->id, camera_to_stored_json(*config).dump());
  if (!stored) {
    remove(config->id);
    exchange->respond(problem(stored.error()));
    return;
  }
  exchange->respond(HttpResponse::json(201, to_json(cameras_.at(config->id)).dump()));
}

void CamerasFeature::change(const ExchangePtr& exchange) {
  const std::string id = exchange->request().params.at("id");
  const auto found = cameras_.find(id);
  if (found == cameras_.end()) {
    exchange->respond(problem({ErrorCode::kNotFound, "no such camera"}));
    return;
  }
  if (found->second.from_file) {
    exchange->respond(problem(
        {ErrorCode::kConflict, "this camera is in the configuration file: change it there"}));
    return;
  }
  auto config = camera_from_json(exchange->request().body, found->second.config);
  if (config && config->id != id) config = fail(ErrorCode::kInvalid, "id cannot be changed");
  if (!config) {
    exchange->respond(problem(config.error()));
    return;
  }
  const auto stored = context_.state.put(kKind, id, camera_to_stored_json(*config).dump());
  if (!stored) {
    exchange->respond(problem(stored.error()));
    return;
  }
  if (!(*config == found->second.config)) {
    remove(id);
    if (auto added = add(*config, false); !added) {
      exchange->respond(problem(added.error()));
      return;
    }
  }
  exchange->respond(HttpResponse::json(200, to_json(cameras_.at(id)).dump()));
}

void CamerasFeature::erase(const ExchangePtr& exchange) {
  const std::string id = exchange->request().params.at("id");
  const auto found = cameras_.find(id);
  if (found == cameras_.end()) {
    exchange->respond(problem({ErrorCode::kNotFound, "no such camera"}));
    return;
  }
  if (found->second.from_file) {
    exchange->respond(problem(
        {ErrorCode::kConflict, "this camera is in the configuration file: remove it there"}));
    return;
  }
  if (auto erased = context_.state.erase(kKind, id); !erased) {
    exchange->respond(problem(erased.error()));
    return;
  }
  remove(id);
  exchange->respond(HttpResponse::empty(204));
}

void CamerasFeature::test(const ExchangePtr& exchange) {
  if (probes_.size() >= kMaxProbes) {
    exchange->respond(
        problem({ErrorCode::kUnavailable, "other cameras are being tested: try again"}));
    return;
  }
  // A known camera's password need not be typed again to test it, at its own address only.
  CameraConfig before;
  before.id = "test";
  if (const auto body = parse_json_object(exchange->request().body)) {
    const auto known = cameras_.find(json_text(*body, "id"));
    if (known != cameras_.end()) before = known->second.config;
  }
  auto config = camera_from_json(exchange->request().body, before);
  if (!config) {
    exchange->respond(problem(config.error()));
    return;
  }
  const auto options = camera_options(*config, 0);
  const unsigned key = next_probe_++;
  const auto answer = [this, key, exchange, alive = std::weak_ptr<bool>(alive_)](
                          const Result<std::vector<camera::ProbedTrack>>& tracks) {
    if (alive.expired()) return;
    // The probe calls us: it is dropped when it has returned.
    context_.loop.post([this, key, alive] {
      if (!alive.expired()) probes_.erase(key);
    });
    if (!tracks) {
      auto response = problem(tracks.error());
      // The camera's failure is not the caller's: RFC 9110, 15.6.3 and 15.6.5.
      response.status = tracks.error().code == ErrorCode::kTimeout ? 504 : 502;
      if (auto told = json::parse(response.body, nullptr, false); told.is_object()) {
        told["status"] = response.status;
        response.body = told.dump();
      }
      exchange->respond(std::move(response));
      return;
    }
    json found = json::array();
    for (const auto& track : *tracks) {
      json one = {{"kind", track.kind}, {"codec", track.codec}};
      if (track.width > 0) {
        one["width"] = track.width;
        one["height"] = track.height;
      }
      if (track.fps > 0) one["fps"] = track.fps;
      if (!track.note.empty()) one["note"] = track.note;
      found.push_back(std::move(one));
    }
    exchange->respond(HttpResponse::json(200, json{{"tracks", found}}.dump()));
  };
  exchange->on_abort([this, key, alive = std::weak_ptr<bool>(alive_)] {
    if (!alive.expired()) probes_.erase(key);
  });
  probes_[key] = camera::probe(context_.loop, options->main, options->patience, answer);
}

}  // namespace sotto::server
