// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "server/cameras/settings.h"

#include "core/base/json.h"
#include "pipelines/camera/address.h"

#include <algorithm>
#include <cctype>
#include <string>
#include <tuple>
#include <vector>

namespace sotto::server {
namespace {

using nlohmann::json;

constexpr std::size_t kMaxTextBytes = 256;
constexpr std::chrono::milliseconds kMaxLatency{2000};

struct TextKey {
  const char* name;
  std::string CameraConfig::*member;
  std::size_t limit;
};
struct SwitchKey {
  const char* name;
  bool CameraConfig::*member;
};

const std::vector<TextKey>& text_keys() {
  static const std::vector<TextKey> keys{{"id", &CameraConfig::id, 64},
                                         {"title", &CameraConfig::title, kMaxTextBytes},
                                         {"url", &CameraConfig::url, camera::kMaxUrlBytes},
                                         {"sub_url", &CameraConfig::sub_url, camera::kMaxUrlBytes},
                                         {"user", &CameraConfig::user, kMaxTextBytes},
                                         {"password", &CameraConfig::password, kMaxTextBytes},
                                         {"transport", &CameraConfig::transport, 8}};
  return keys;
}
const std::vector<SwitchKey>& switch_keys() {
  static const std::vector<SwitchKey> keys{{"keep_warm", &CameraConfig::keep_warm},
                                           {"verify_tls", &CameraConfig::verify_tls},
                                           {"private", &CameraConfig::is_private}};
  return keys;
}

tl::unexpected<Error> wrong(const std::string& key, const std::string& what) {
  return fail(ErrorCode::kInvalid, key + " " + what);
}

Result<> take(CameraConfig& camera, const std::string& key, const json& value) {
  for (const TextKey& known : text_keys()) {
    if (key != known.name) continue;
    if (!value.is_string()) return wrong(key, "must be text");
    const auto& text = value.get_ref<const std::string&>();
    if (text.size() > known.limit) return wrong(key, "is too long");
    camera.*known.member = text;
    return {};
  }
  for (const SwitchKey& known : switch_keys()) {
    if (key != known.name) continue;
    if (!value.is_boolean()) return wrong(key, "must be true or false");
    camera.*known.member = value.get<bool>();
    return {};
  }
  if (key == "latency_ms") {
    const bool fits = value.is_number_unsigned() &&
                      value.get<std::uint64_t>() <= static_cast<std::uint64_t>(kMaxLatency.count());
    if (!fits) return wrong(key, "must be 0 to 2000");
    camera.latency = std::chrono::milliseconds(value.get<std::uint64_t>());
    return {};
  }
  return wrong(key, "is not a setting of a camera");
}

bool good_id(const std::string& id) {
  return !id.empty() && id.size() <= 64 && std::all_of(id.begin(), id.end(), [](unsigned char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
  });
}

// A log-in written into an address belongs to the password field and leaves with it.
std::string bare_url(const std::string& url) {
  const auto address = camera::parse_address(url);
  return address ? address->url : std::string();
}

}  // namespace

Result<CameraConfig> camera_from_json(std::string_view body, const CameraConfig& before) {
  const auto read = parse_json_object(body);
  if (!read) return tl::unexpected(read.error());
  const json& parsed = *read;
  CameraConfig camera = before;
  for (const auto& [key, value] : parsed.items()) {
    if (auto taken = take(camera, key, value); !taken) return tl::unexpected(taken.error());
  }
  if (!good_id(camera.id)) {
    return wrong("id", "must be 1 to 64 of the characters a-z, 0-9 and -");
  }
  // Another host must not be sent the password of this one.
  const bool moved = !before.url.empty() && bare_url(camera.url) != bare_url(before.url);
  if (moved && !parsed.contains("password") && !before.password.empty()) {
    return wrong("password", "must be given again when the url changes");
  }
  // The log-in leaves the address, so that nothing that shows addresses shows it.
  for (auto member : {&CameraConfig::url, &CameraConfig::sub_url}) {
    if ((camera.*member).empty() && member == &CameraConfig::sub_url) continue;
    camera::Address given;
    given.user = camera.user;
    given.password = camera.password;
    auto address = camera::parse_address(camera.*member, given);
    if (!address) return tl::unexpected(address.error());
    camera.*member = address->url;
    camera.user = address->user;
    camera.password = address->password;
  }
  if (auto options = camera_options(camera, 0); !options) return tl::unexpected(options.error());
  return camera;
}

json camera_to_stored_json(const CameraConfig& camera) {
  json out;
  for (const TextKey& key : text_keys()) out[key.name] = camera.*key.member;
  for (const SwitchKey& key : switch_keys()) out[key.name] = camera.*key.member;
  out["latency_ms"] = camera.latency.count();
  return out;
}

json camera_to_public_json(const CameraConfig& camera) {
  json out = camera_to_stored_json(camera);
  out.erase("password");
  out["has_password"] = !camera.password.empty();
  out["url"] = bare_url(camera.url);
  out["sub_url"] = camera.sub_url.empty() ? std::string() : bare_url(camera.sub_url);
  return out;
}

Result<camera::Options> camera_options(const CameraConfig& camera, std::uint64_t number) {
  auto transport = camera::parse_transport(camera.transport);
  if (!transport) return tl::unexpected(transport.error());
  camera::Address given;
  given.user = camera.user;
  given.password = camera.password;
  given.transport = *transport;
  given.verify_tls = camera.verify_tls;
  given.latency = camera.latency;
  auto main = camera::parse_address(camera.url, given);
  if (!main) return tl::unexpected(main.error());
  camera::Options options;
  options.id = camera.id;
  options.number = number;
  options.title = camera.title;
  options.main = std::move(*main);
  options.keep_warm = camera.keep_warm;
  options.is_private = camera.is_private;
  if (!camera.sub_url.empty()) {
    auto sub = camera::parse_address(camera.sub_url, given);
    if (!sub) return fail(sub.error().code, "sub_" + sub.error().message);
    options.sub = std::move(*sub);
  }
  return options;
}

bool operator==(const CameraConfig& a, const CameraConfig& b) {
  return camera_to_stored_json(a) == camera_to_stored_json(b);
}

}  // namespace sotto::server
