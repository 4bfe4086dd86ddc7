// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "server/janus/gateway.h"

#include "core/base/random.h"
#include "server/base/log.h"
#include "server/config/config.h"
#include "server/metrics/metrics.h"

#include <algorithm>

namespace sotto::server::janus {
namespace {

constexpr std::uint64_t kMaxId = (std::uint64_t{1} << 53U) - 1;  // What JavaScript holds exactly.
constexpr std::chrono::milliseconds kExpiryInterval{2000};

Json success(const std::string& transaction, std::uint64_t session_id) {
  Json reply{{"janus", "success"}, {"transaction", transaction}};
  if (session_id != 0) reply["session_id"] = session_id;
  return reply;
}

Json ack(const std::string& transaction, std::uint64_t session_id) {
  return {{"janus", "ack"}, {"session_id", session_id}, {"transaction", transaction}};
}

Refusal missing(const char* element) {
  return {Code::kMissingElement, std::string("Missing mandatory element (") + element + ")"};
}

Refusal wrong_type(const char* element, const char* wanted) {
  return {Code::kInvalidElementType,
          std::string("Invalid element type (") + element + " should be " + wanted + ")"};
}

/// One candidate of a trickle. Null in `out`: the end of candidates.
std::optional<Refusal> read_candidate(const Json& given, rtc::Candidate& out) {
  out = {};
  out.mline_index = -1;
  // Null and whatever else is no object mean the same as {"completed":true}.
  if (!given.is_object() || given.contains("completed")) {
    out.mline_index = 0;
    return std::nullopt;
  }
  const Member mid = member(given, "sdpMid", out.mid);
  if (mid == Member::kWrongType && !given["sdpMid"].is_null()) {
    return wrong_type("sdpMid", "a string");
  }
  std::uint64_t index = 0;
  const Member mline = member(given, "sdpMLineIndex", index);
  if (mline == Member::kWrongType && !given["sdpMLineIndex"].is_null()) {
    return wrong_type("sdpMLineIndex", "a positive integer");
  }
  if (mid != Member::kPresent && mline != Member::kPresent) {
    return missing("sdpMid or sdpMLineIndex");
  }
  if (mline == Member::kPresent) {
    out.mline_index = static_cast<int>(std::min<std::uint64_t>(index, 1U << 16U));
  }
  switch (member(given, "candidate", out.candidate)) {
    case Member::kAbsent: return missing("candidate");
    case Member::kWrongType: return wrong_type("candidate", "a string");
    case Member::kPresent: return std::nullopt;
  }
  return std::nullopt;
}

}  // namespace

/// A request whose mandatory members were checked.
struct Gateway::Request {
  const Json& body;
  std::string verb;
  std::string transaction;
  std::uint64_t session_id = 0;
  std::uint64_t handle_id = 0;
  Grant grant;

  Json refuse(Refusal refusal) const { return error_reply(refusal, transaction, session_id); }
};

Json error_reply(const Refusal& refusal, const std::string& transaction, std::uint64_t session_id) {
  Json reply{{"janus", "error"},
             {"error", {{"code", static_cast<int>(refusal.code)}, {"reason", refusal.reason}}}};
  if (session_id != 0) reply["session_id"] = session_id;
  if (!transaction.empty()) reply["transaction"] = transaction;
  return reply;
}

Json plugin_error(std::string_view name, int code, std::string text) {
  return {{std::string(name), "event"}, {"error_code", code}, {"error", std::move(text)}};
}

Gateway::Gateway(Context& server, PeerFactory make_peer)
    : server_(server),
      gatekeeper_(server.config, server.auth),
      core_{server, std::move(make_peer), 0} {
  for (auto& plugin : make_plugins({server_, gatekeeper_})) {
    std::string package = plugin->info().package;
    plugins_.emplace(std::move(package), std::move(plugin));
  }
  const auto& janus = server_.config.janus;
  std::chrono::milliseconds interval = kExpiryInterval;
  for (const std::chrono::milliseconds limit : {std::chrono::milliseconds(janus.session_timeout),
                                                std::chrono::milliseconds(janus.reclaim_timeout)}) {
    if (limit.count() > 0) interval = std::min(interval, limit / 4);
  }
  expiry_timer_ = server_.loop.every(interval, [this] { expire_sessions(); });
  server_.metrics.on_scrape([this] { collect_metrics(); });
}

Gateway::~Gateway() {
  while (!sessions_.empty()) end_session(sessions_.begin()->first);
}

void Gateway::add_transport(std::string package, std::string name, std::string description) {
  transports_.push_back({std::move(package), std::move(name), std::move(description)});
}

std::shared_ptr<Session> Gateway::find(std::uint64_t session_id) const {
  const auto it = sessions_.find(session_id);
  return it == sessions_.end() ? nullptr : it->second;
}

void Gateway::receive(std::string_view text, const Origin& origin, bool several,
                      const Reply& reply) {
  std::optional<std::vector<std::string_view>> parts = std::vector<std::string_view>{text};
  if (several) parts = split_objects(text);
  if (!parts) {
    reply(error_reply({Code::kInvalidJson, "Too many objects in one message"}));
    return;
  }
  for (const std::string_view part : *parts) {
    auto body = parse_json(part);
    if (!body) {
      reply(error_reply({Code::kInvalidJson, "JSON error: " + body.error().message}));
      continue;
    }
    if (!body->is_object()) {
      reply(error_reply({Code::kInvalidJsonObject, "JSON error: not an object"}));
      continue;
    }
    std::vector<std::shared_ptr<Session::Hold>> holds;  // Events leave after the reply.
    reply(handle(*body, origin, holds));
  }
}

Json Gateway::handle(const Json& body, const Origin& origin,
                     std::vector<std::shared_ptr<Session::Hold>>& holds) {
  Request request{body, {}, {}, 0, 0, {}};
  // Mandatory members. What fails here is answered without the transaction, as Janus does.
  for (const auto& [key, text] :
       {std::pair{"transaction", &request.transaction}, std::pair{"janus", &request.verb}}) {
    switch (member(body, key, *text)) {
      case Member::kAbsent: return error_reply(missing(key));
      case Member::kWrongType: return error_reply(wrong_type(key, "a string"));
      case Member::kPresent: break;
    }
  }
  // Ids, of the path or of the body.
  bool scoped = false;
  for (const auto& [key, path, id] :
       {std::tuple{"session_id", origin.session_id, &request.session_id},
        std::tuple{"handle_id", origin.handle_id, &request.handle_id}}) {
    const Member found = member(body, key, *id);
    if (found == Member::kWrongType) return request.refuse(wrong_type(key, "a positive integer"));
    if (path && found == Member::kPresent && *id != *path) {
      return error_reply(
          {Code::kInvalidPath, std::string("Conflicting ") + key + " in path and body"});
    }
    if (path) *id = *path;
    scoped = scoped || path || found == Member::kPresent;
  }
  if (!scoped) {
    if (request.verb == "info") return server_info(request.transaction);
    if (request.verb == "ping") return {{"janus", "pong"}, {"transaction", request.transaction}};
    if (request.verb != "create") {
      return request.refuse(
          {Code::kInvalidPath, "Unhandled request '" + request.verb + "' at this path"});
    }
  }
  // Secret or token. Wrong types are as good as wrong secrets.
  auto grant =
      gatekeeper_.admit(text_of(body, "apisecret"), text_of(body, "token"), origin.principal);
  if (!grant) return request.refuse({Code::kUnauthorized, "Unauthorized request"});
  request.grant = std::move(*grant);
  if (!scoped) return create(request, origin);

  const auto session = find(request.session_id);
  if (session == nullptr) {
    return request.refuse(
        {Code::kSessionNotFound, "No such session " + std::to_string(request.session_id)});
  }
  session->touch();
  holds.push_back(std::make_shared<Session::Hold>(session));
  if (request.handle_id == 0 && !origin.handle_id && !body.contains("handle_id")) {
    return session_verb(request, origin, *session);
  }
  const auto found = session->handles().find(request.handle_id);
  if (found == session->handles().end()) {
    return request.refuse(
        {Code::kHandleNotFound, "No such handle " + std::to_string(request.handle_id) +
                                    " in session " + std::to_string(request.session_id)});
  }
  const auto handle = found->second;  // Stays alive while its plugin works.
  return handle_verb(request, *session, *handle);
}

Json Gateway::create(const Request& request, const Origin& origin) {
  const auto& janus = server_.config.janus;
  std::uint64_t id = 0;
  switch (member(request.body, "id", id)) {
    case Member::kWrongType: return request.refuse(wrong_type("id", "a positive integer"));
    case Member::kPresent:
      if (id == 0 || id > kMaxId) return request.refuse(wrong_type("id", "a positive integer"));
      if (find(id) != nullptr) {
        return error_reply({Code::kSessionConflict, "Session ID already in use"},
                           request.transaction, id);
      }
      break;
    case Member::kAbsent:
      do id = random_id53();
      while (find(id) != nullptr);
      break;
  }
  const auto of_address = sessions_of_address_.find(origin.address);
  if (!accepting_ || sessions_.size() >= janus.max_sessions ||
      (of_address != sessions_of_address_.end() &&
       of_address->second >= janus.max_sessions_per_address)) {
    return request.refuse({Code::kNotAccepting, "Not accepting new sessions now"});
  }
  ++sessions_of_address_[origin.address];
  sessions_.emplace(id, std::make_shared<Session>(id, origin.address, origin.outlet));
  Json reply = success(request.transaction, 0);
  reply["data"] = {{"id", id}};
  return reply;
}

Json Gateway::session_verb(const Request& request, const Origin& origin, Session& session) {
  if (request.verb == "keepalive") return ack(request.transaction, session.id());
  if (request.verb == "attach") return attach(request, session);
  if (request.verb == "claim") {
    session.set_outlet(origin.outlet);
    return success(request.transaction, session.id());
  }
  if (request.verb == "destroy") {
    const std::uint64_t id = session.id();
    session.set_outlet(nullptr);  // The owner is not told.
    end_session(id);
    return success(request.transaction, id);
  }
  for (const char* of_handle :
       {"message", "trickle", "hangup", "detach", "info", "ping", "create"}) {
    if (request.verb == of_handle) {
      return request.refuse(
          {Code::kInvalidPath, "Unhandled request '" + request.verb + "' at this path"});
    }
  }
  return request.refuse({Code::kUnknownRequest, "Unknown request '" + request.verb + "'"});
}

Json Gateway::handle_verb(const Request& request, Session& session, CoreHandle& handle) {
  if (request.verb == "message") return message(request, session, handle);
  if (request.verb == "trickle") return trickle(request, session, handle);
  if (request.verb == "hangup") {
    handle.hangup();
    return success(request.transaction, session.id());
  }
  if (request.verb == "detach") {
    session.handles().erase(handle.id());
    handle.detach(true);
    return success(request.transaction, session.id());
  }
  for (const char* of_session :
       {"keepalive", "attach", "claim", "destroy", "info", "ping", "create"}) {
    if (request.verb == of_session) {
      return request.refuse(
          {Code::kInvalidPath, "Unhandled request '" + request.verb + "' at this path"});
    }
  }
  return request.refuse({Code::kUnknownRequest, "Unknown request '" + request.verb + "'"});
}

Json Gateway::attach(const Request& request, Session& session) {
  std::string package;
  switch (member(request.body, "plugin", package)) {
    case Member::kAbsent: return request.refuse(missing("plugin"));
    case Member::kWrongType: return request.refuse(wrong_type("plugin", "a string"));
    case Member::kPresent: break;
  }
  std::string opaque_id;
  if (member(request.body, "opaque_id", opaque_id) == Member::kWrongType) {
    return request.refuse(wrong_type("opaque_id", "a string"));
  }
  const auto plugin = plugins_.find(package);
  if (plugin == plugins_.end()) {
    return request.refuse({Code::kPluginNotFound, "No such plugin '" + package + "'"});
  }
  if (!request.grant.may_attach(package)) {
    return request.refuse(
        {Code::kUnauthorizedPlugin, "This token may not use plugin '" + package + "'"});
  }
  if (session.handles().size() >= server_.config.janus.max_handles_per_session) {
    return request.refuse({Code::kPluginAttach, "Too many handles in this session"});
  }
  std::uint64_t id = 0;
  do id = random_id53();
  while (session.handles().count(id) != 0);
  auto handle =
      std::make_shared<CoreHandle>(core_, session, id, std::move(opaque_id), std::move(package));
  if (auto attached = handle->attach(*plugin->second); !attached) {
    return request.refuse({Code::kPluginAttach, attached.error().message});
  }
  session.handles().emplace(id, std::move(handle));
  Json reply = success(request.transaction, session.id());
  reply["data"] = {{"id", id}};
  return reply;
}

Json Gateway::message(const Request& request, Session& session, CoreHandle& handle) {
  const auto body = request.body.find("body");
  if (body == request.body.end()) return request.refuse(missing("body"));
  if (!body->is_object()) return request.refuse(wrong_type("body", "an object"));
  Message message{*body, request.transaction, std::nullopt, request.grant.principal};

  if (const auto given = request.body.find("jsep");
      given != request.body.end() && !given->is_null()) {
    if (!given->is_object()) {
      return request.refuse({Code::kInvalidJsonObject, "Invalid jsep: not an object"});
    }
    Jsep jsep;
    switch (member(*given, "type", jsep.type)) {
      case Member::kAbsent: return request.refuse(missing("type"));
      case Member::kWrongType: return request.refuse(wrong_type("type", "a string"));
      case Member::kPresent: break;
    }
    bool flag = false;
    for (const char* key : {"trickle", "force_relay", "e2ee"}) {
      if (member(*given, key, flag) == Member::kWrongType) {
        return request.refuse(wrong_type(key, "a boolean"));
      }
    }
    member(*given, "e2ee", jsep.e2ee);
    if (jsep.type != "offer" && jsep.type != "answer") {
      return request.refuse({Code::kJsepUnknownType, "Unknown type of jsep '" + jsep.type + "'"});
    }
    switch (member(*given, "sdp", jsep.sdp)) {
      case Member::kAbsent: return request.refuse(missing("sdp"));
      case Member::kWrongType: return request.refuse(wrong_type("sdp", "a string"));
      case Member::kPresent: break;
    }
    if (auto refusal = handle.take_jsep(jsep)) return request.refuse(std::move(*refusal));
    message.jsep = std::move(jsep);
  }

  Outcome outcome = handle.instance().on_message(std::move(message));
  if (!outcome.data) {
    Json reply = ack(request.transaction, session.id());
    if (!outcome.hint.empty()) reply["hint"] = std::move(outcome.hint);
    return reply;
  }
  Json reply = success(request.transaction, session.id());
  reply["sender"] = handle.id();
  reply["plugindata"] = {{"plugin", handle.package()}, {"data", std::move(*outcome.data)}};
  return reply;
}

Json Gateway::trickle(const Request& request, Session& session, CoreHandle& handle) {
  const auto one = request.body.find("candidate");
  const auto several = request.body.find("candidates");
  const bool has_one = one != request.body.end();
  const bool has_several = several != request.body.end();
  if (!has_one && !has_several) return request.refuse(missing("candidate|candidates"));
  if (has_one && has_several) {
    return request.refuse({Code::kInvalidJson, "Either candidate or candidates, not both"});
  }
  std::vector<rtc::Candidate> read;
  if (has_one) {
    if (auto refusal = read_candidate(*one, read.emplace_back())) {
      return request.refuse(std::move(*refusal));
    }
  } else {
    if (!several->is_array()) return request.refuse(wrong_type("candidates", "an array"));
    for (const Json& candidate : *several) {
      if (auto refusal = read_candidate(candidate, read.emplace_back())) {
        return request.refuse(std::move(*refusal));
      }
    }
  }
  for (const auto& candidate : read) handle.trickle(candidate);
  return ack(request.transaction, session.id());
}

// --- life of sessions ---------------------------------------------------------------------------

void Gateway::end_session(std::uint64_t id) {
  const auto it = sessions_.find(id);
  if (it == sessions_.end()) return;
  const auto session = std::move(it->second);
  sessions_.erase(it);
  if (const auto of = sessions_of_address_.find(session->address());
      of != sessions_of_address_.end() && --of->second == 0) {
    sessions_of_address_.erase(of);
  }
  const auto handles = std::move(session->handles());
  session->handles().clear();
  for (const auto& [handle_id, handle] : handles) handle->detach(false);
}

void Gateway::outlet_gone(const Outlet& outlet) {
  std::vector<std::uint64_t> ended;
  for (const auto& [id, session] : sessions_) {
    if (session->outlet().get() != &outlet) continue;
    session->set_outlet(nullptr);
    if (server_.config.janus.reclaim_timeout.count() == 0) ended.push_back(id);
  }
  for (const std::uint64_t id : ended) end_session(id);
}

void Gateway::expire_sessions() {
  const auto now = Session::Clock::now();
  const auto& janus = server_.config.janus;
  std::vector<std::shared_ptr<Session>> expired;
  for (const auto& [id, session] : sessions_) {
    const bool silent =
        janus.session_timeout.count() > 0 && now - session->last_activity() > janus.session_timeout;
    const bool orphan =
        session->outlet() == nullptr && now - session->orphaned_since() > janus.reclaim_timeout;
    if (silent || orphan) expired.push_back(session);
  }
  for (const auto& session : expired) {
    session->push({{"janus", "timeout"}});
    session->set_outlet(nullptr);
    end_session(session->id());
  }
}

void Gateway::stop() {
  accepting_ = false;
  for (auto& [package, plugin] : plugins_) plugin->stop();
  std::vector<std::shared_ptr<Session>> all;
  for (const auto& [id, session] : sessions_) all.push_back(session);
  for (const auto& session : all) {
    session->push({{"janus", "timeout"}});
    session->set_outlet(nullptr);
    end_session(session->id());
  }
}

void Gateway::collect_metrics() {
  std::size_t handles = 0;
  for (const auto& [id, session] : sessions_) handles += session->handles().size();
  server_.metrics.gauge("sotto_janus_sessions", "Sessions of the Janus API.", {},
                        static_cast<double>(sessions_.size()));
  server_.metrics.gauge("sotto_janus_handles", "Plugin handles of the Janus API.", {},
                        static_cast<double>(handles));
  server_.metrics.gauge("sotto_janus_peer_connections", "Peer connections of the Janus API.", {},
                        static_cast<double>(core_.peers));
}

}  // namespace sotto::server::janus
