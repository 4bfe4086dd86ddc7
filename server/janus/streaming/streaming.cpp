// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "server/janus/streaming/streaming.h"

#include "core/base/bytes.h"
#include "pipelines/camera/camera.h"
#include "server/config/config.h"
#include "server/janus/gatekeeper.h"
#include "server/janus/streaming/mountpoints.h"
#include "server/janus/streaming/recordings.h"
#include "server/janus/streaming/viewer.h"

#include <algorithm>
#include <map>

namespace sotto::server::janus {
namespace {

constexpr const char* kName = "streaming";

bool same_secret(const std::string& wanted, const std::string& given) {
  return equal_constant_time(as_bytes(wanted), as_bytes(given));
}

Json failed(const StreamingError& error) {
  return plugin_error(kName, static_cast<int>(error.code), error.text);
}

/// What Janus calls it: everything that is the same for all viewers is live.
const char* janus_type(const std::string& source_type) {
  return source_type == "on demand" ? "on demand" : "live";
}

class StreamingPlugin final : public Plugin {
 public:
  explicit StreamingPlugin(const PluginContext& context);

  const PluginInfo& info() const override { return info_; }
  Result<std::unique_ptr<Instance>> attach(Handle& handle) override {
    return std::make_unique<StreamViewer>(handle, server_, mountpoints_, management_);
  }
  void stop() override {
    recordings_.drop_all();
    for (const auto& mountpoint : mountpoints_.all()) mountpoints_.kick_all(mountpoint);
  }

 private:
  using Answer = StreamingResult<Json>;

  Answer list(const Message& message) const;
  Answer describe(const Message& message) const;
  Answer create(const Message& message);
  Answer edit(const Message& message);
  Answer destroy(const Message& message);
  Answer enable(const Message& message, bool enabled);
  Answer kick_all(const Message& message);
  Answer record(const Message& message);

  StreamingResult<MountpointPtr> named(const Message& message) const;
  StreamingResult<MountpointPtr> managed(const Message& message) const;
  bool is_admin(const Message& message) const;
  bool knows_secret(const Message& message, const Mountpoint& mountpoint) const;
  static Json media_of(const Mountpoint& mountpoint, const rtc::SourceInfo& info, bool all);

  PluginInfo info_{"janus.plugin.streaming", "Streaming",
                   "Mountpoints, cameras and publishers to watch", "0.1.0", 1};
  Context& server_;
  Mountpoints mountpoints_;
  MountpointRecordings recordings_;
  Management management_;
};

RtspFactory rtsp_factory(MainContext& loop) {
  return [&loop](const SourceName& name, const MountpointSpec& spec) {
    camera::Options options;
    options.id = name.id;
    options.number = name.number;
    options.title = name.title;
    options.is_private = name.is_private;
    options.main.url = spec.url;
    options.main.user = spec.user;
    options.main.password = spec.password;
    if (spec.url.rfind("rtsps:", 0) == 0) options.main.transport = camera::Transport::kTls;
    return camera::Camera::create(loop, std::move(options));
  };
}

StreamingPlugin::StreamingPlugin(const PluginContext& context)
    : server_(context.server),
      mountpoints_(server_, rtsp_factory(server_.loop)),
      recordings_(server_) {
  using Verb = std::function<Answer(const Message&)>;
  const std::map<std::string, Verb> verbs{
      {"list", [this](const Message& m) { return list(m); }},
      {"info", [this](const Message& m) { return describe(m); }},
      {"create", [this](const Message& m) { return create(m); }},
      {"edit", [this](const Message& m) { return edit(m); }},
      {"destroy", [this](const Message& m) { return destroy(m); }},
      {"enable", [this](const Message& m) { return enable(m, true); }},
      {"disable", [this](const Message& m) { return enable(m, false); }},
      {"kick_all", [this](const Message& m) { return kick_all(m); }},
      {"recording", [this](const Message& m) { return record(m); }}};
  management_ = [verbs](const Message& message) -> std::optional<Json> {
    const auto verb = verbs.find(text_of(message.body, "request"));
    if (verb == verbs.end()) return std::nullopt;
    auto answer = verb->second(message);
    return answer ? std::move(*answer) : failed(answer.error());
  };
  mountpoints_.restore();
}

StreamingResult<MountpointPtr> StreamingPlugin::named(const Message& message) const {
  const auto id = message.body.find("id");
  if (id == message.body.end()) {
    return refuse(StreamingCode::kMissingElement, "Missing mandatory element (id)");
  }
  if (!id->is_number_integer() && !id->is_string()) {
    return refuse(StreamingCode::kInvalidElement,
                  "Invalid element type (id should be a positive integer)");
  }
  auto mountpoint = mountpoints_.find(*id);
  if (mountpoint == nullptr) {
    return refuse(StreamingCode::kNoSuchMountpoint, "No such mountpoint/stream " + dump(*id));
  }
  return mountpoint;
}

bool StreamingPlugin::is_admin(const Message& message) const {
  const std::string& key = server_.config.janus.admin_key;
  if (message.principal.may("admin")) return true;
  if (!key.empty()) return same_secret(key, text_of(message.body, "admin_key"));
  return Gatekeeper::may_manage(message.principal);
}

bool StreamingPlugin::knows_secret(const Message& message, const Mountpoint& mountpoint) const {
  return !mountpoint.spec.secret.empty() &&
         same_secret(mountpoint.spec.secret, text_of(message.body, "secret"));
}

/// The mountpoint a request names, if this client may change it: by its secret, or, where it has
/// none, as somebody who may create others.
StreamingResult<MountpointPtr> StreamingPlugin::managed(const Message& message) const {
  auto mountpoint = named(message);
  if (!mountpoint) return mountpoint;
  if (!(*mountpoint)->ours) {
    return refuse(StreamingCode::kUnauthorized,
                  "That stream is a camera or publisher; it is managed elsewhere");
  }
  const bool allowed =
      (*mountpoint)->spec.secret.empty() ? is_admin(message) : knows_secret(message, **mountpoint);
  if (!allowed) return refuse(StreamingCode::kUnauthorized, "Unauthorized (wrong secret)");
  return mountpoint;
}

Json StreamingPlugin::media_of(const Mountpoint& mountpoint, const rtc::SourceInfo& info,
                               bool all) {
  Json media = Json::array();
  const auto* rtp = dynamic_cast<const RtpSource*>(mountpoint.source.get());
  for (std::size_t i = 0; i < info.tracks.size(); ++i) {
    const auto& [mid, codec] = info.tracks[i];
    Json one{{"mid", mid}, {"type", std::string(rtc::name_of(codec.kind))}};
    if (rtp != nullptr) {
      one["label"] = rtp->tracks()[i].label.empty() ? mid : rtp->tracks()[i].label;
      // Janus counts from the mountpoint's creation until something came.
      const auto last = std::max(rtp->tracks()[i].track->stats().last_frame, rtp->created());
      one["age_ms"] =
          std::chrono::duration_cast<std::chrono::milliseconds>(rtc::monotonic_now() - last)
              .count();
    }
    if (all) {
      one["mindex"] = i;
      one["codec"] = codec.name;
      if (codec.payload_type >= 0) one["pt"] = codec.payload_type;
      one["rtpmap"] = codec.name + "/" + std::to_string(codec.clock_rate) +
                      (codec.kind == rtc::MediaKind::kAudio && codec.channels > 1
                           ? "/" + std::to_string(codec.channels)
                           : std::string());
      if (!codec.fmtp.empty()) one["fmtp"] = codec.fmtp;
    }
    media.push_back(std::move(one));
  }
  if (rtp == nullptr) return media;
  for (const auto& line : rtp->data()) {
    const auto last = std::max(line->last, rtp->created());
    Json one{{"mid", line->mid},
             {"type", "data"},
             {"label", line->label.empty() ? line->mid : line->label},
             {"age_ms",
              std::chrono::duration_cast<std::chrono::milliseconds>(rtc::monotonic_now() - last)
                  .count()}};
    if (all) one["mindex"] = media.size();
    media.push_back(std::move(one));
  }
  return media;
}

StreamingPlugin::Answer StreamingPlugin::list(const Message& message) const {
  Json list = Json::array();
  for (const auto& mountpoint : mountpoints_.all()) {
    const bool visible = message.principal.may("stream:" + mountpoint->source_id + ":view");
    if (!visible || (mountpoint->spec.is_private && !message.principal.may("admin"))) continue;
    const rtc::SourceInfo info = mountpoint->source->info();
    Json one{{"id", mountpoint->id},
             {"type", janus_type(info.type)},
             {"description", mountpoint->spec.description},
             {"enabled", mountpoint->enabled},
             {"media", media_of(*mountpoint, info, false)}};
    if (!mountpoint->spec.metadata.empty()) one["metadata"] = mountpoint->spec.metadata;
    list.push_back(std::move(one));
  }
  return Json{{"streaming", "list"}, {"list", std::move(list)}};
}

StreamingPlugin::Answer StreamingPlugin::describe(const Message& message) const {
  auto found = named(message);
  if (!found) return tl::unexpected<StreamingError>(found.error());
  const Mountpoint& mountpoint = **found;
  const bool inside =
      knows_secret(message, mountpoint) || (mountpoint.spec.secret.empty() && is_admin(message));
  if (!inside && !message.principal.may("stream:" + mountpoint.source_id + ":view")) {
    return refuse(StreamingCode::kUnauthorized, "This token may not see that stream");
  }
  const rtc::SourceInfo info = mountpoint.source->info();
  Json details{{"id", mountpoint.id},
               {"name", mountpoint.source_id},
               {"description", mountpoint.spec.description},
               {"enabled", mountpoint.enabled},
               {"type", janus_type(info.type)},
               // A recording holds the source as a viewer does, and is none.
               {"viewers", info.viewers - (recordings_.count(mountpoint.id) != 0 ? 1 : 0)},
               {"media", media_of(mountpoint, info, true)}};
  if (!mountpoint.spec.metadata.empty()) details["metadata"] = mountpoint.spec.metadata;
  if (!mountpoint.spec.pin.empty()) details["pin_required"] = true;
  if (inside) {
    // For those who manage it: how it is fed, never with its secrets.
    details["is_private"] = mountpoint.spec.is_private;
    details["permanent"] = mountpoint.spec.permanent;
    details["state"] = std::string(rtc::name_of(info.state));
    if (!info.reason.empty()) details["reason"] = info.reason;
    details["recording"] = recordings_.count(mountpoint.id) != 0;
    const auto ports = mountpoint.ports();
    for (std::size_t i = 0; i < ports.size(); ++i) details["media"][i]["port"] = ports[i];
    if (!mountpoint.spec.file.empty()) details["filename"] = mountpoint.spec.file;
  }
  return Json{{"streaming", "info"}, {"info", std::move(details)}};
}

StreamingPlugin::Answer StreamingPlugin::create(const Message& message) {
  if (!is_admin(message)) {
    return refuse(StreamingCode::kUnauthorized, "Unauthorized: creating needs the admin key");
  }
  auto spec = parse_create(message.body);
  if (!spec) return tl::unexpected<StreamingError>(spec.error());
  auto created = mountpoints_.create(std::move(*spec));
  if (!created) return tl::unexpected<StreamingError>(created.error());
  const Mountpoint& mountpoint = **created;
  Json stream{{"id", mountpoint.id},
              {"type", mountpoint.spec.type == "ondemand" ? "on demand" : "live"},
              {"description", mountpoint.spec.description},
              {"is_private", mountpoint.spec.is_private}};
  if (const auto ports = mountpoint.ports(); !ports.empty()) {
    stream["ports"] = Json::array();
    for (std::size_t i = 0; i < ports.size(); ++i) {
      const RtpMedia& media = mountpoint.spec.media[i];
      const std::string type(rtc::name_of(media.codec.kind));
      Json entry{{"type", type}, {"mid", media.mid}, {"port", ports[i]}};
      const auto* rtp = dynamic_cast<const RtpSource*>(mountpoint.source.get());
      if (rtp != nullptr && rtp->rtcp_port(i) != 0) entry["rtcp_port"] = rtp->rtcp_port(i);
      stream["ports"].push_back(std::move(entry));
      // The form of clients older than `media`.
      if (!message.body.contains("media")) stream[type + "_port"] = ports[i];
    }
  }
  return Json{{"streaming", "created"},
              {"created", mountpoint.source_id},
              {"permanent", mountpoint.spec.permanent},
              {"stream", std::move(stream)}};
}

StreamingPlugin::Answer StreamingPlugin::edit(const Message& message) {
  auto found = managed(message);
  if (!found) return tl::unexpected<StreamingError>(found.error());
  MountpointSpec spec = (*found)->spec;
  for (const auto& [key, field] :
       {std::pair{"new_description", &spec.description}, std::pair{"new_metadata", &spec.metadata},
        std::pair{"new_secret", &spec.secret}, std::pair{"new_pin", &spec.pin}}) {
    if (member(message.body, key, *field) == Member::kWrongType) {
      return refuse(StreamingCode::kInvalidElement,
                    std::string("Invalid element type (") + key + " should be a string)");
    }
  }
  bool permanent = false;
  for (const auto& [key, field] :
       {std::pair{"new_is_private", &spec.is_private}, std::pair{"permanent", &permanent}}) {
    if (member(message.body, key, *field) == Member::kWrongType) {
      return refuse(StreamingCode::kInvalidElement,
                    std::string("Invalid element type (") + key + " should be a boolean)");
    }
  }
  if (permanent && !spec.name.empty()) {
    return refuse(StreamingCode::kInvalidState,
                  "That mountpoint is of the configuration file, which is never rewritten");
  }
  (*found)->spec = std::move(spec);
  mountpoints_.edited(*found, permanent);
  return Json{{"streaming", "edited"}, {"id", (*found)->id}, {"permanent", permanent}};
}

StreamingPlugin::Answer StreamingPlugin::destroy(const Message& message) {
  auto found = managed(message);
  if (!found) return tl::unexpected<StreamingError>(found.error());
  bool permanent = false;
  if (member(message.body, "permanent", permanent) == Member::kWrongType) {
    return refuse(StreamingCode::kInvalidElement,
                  "Invalid element type (permanent should be a boolean)");
  }
  const std::uint64_t id = (*found)->id;
  recordings_.drop(id);
  mountpoints_.destroy(*found, permanent);
  return Json{{"streaming", "destroyed"}, {"destroyed", id}};
}

StreamingPlugin::Answer StreamingPlugin::enable(const Message& message, bool enabled) {
  auto found = managed(message);
  if (!found) return tl::unexpected<StreamingError>(found.error());
  mountpoints_.enable(*found, enabled);
  return Json{{"streaming", "ok"}};
}

StreamingPlugin::Answer StreamingPlugin::kick_all(const Message& message) {
  auto found = managed(message);
  if (!found) return tl::unexpected<StreamingError>(found.error());
  mountpoints_.kick_all(*found);
  return Json{{"streaming", "kicked_all"}};
}

StreamingPlugin::Answer StreamingPlugin::record(const Message& message) {
  auto found = managed(message);
  if (!found) return tl::unexpected<StreamingError>(found.error());
  std::string action;
  if (member(message.body, "action", action) != Member::kPresent) {
    return refuse(StreamingCode::kMissingElement, "Missing mandatory element (action)");
  }
  if (action != "start" && action != "stop" && action != "pause" && action != "resume") {
    return refuse(StreamingCode::kInvalidElement,
                  "Invalid action (should be start, stop, pause or resume)");
  }
  if (auto done = recordings_.apply(*found, action, message.body); !done) {
    return tl::unexpected<StreamingError>(done.error());
  }
  return Json{{"streaming", "ok"}};
}

}  // namespace

std::unique_ptr<Plugin> make_streaming(const PluginContext& context) {
  return std::make_unique<StreamingPlugin>(context);
}

}  // namespace sotto::server::janus
