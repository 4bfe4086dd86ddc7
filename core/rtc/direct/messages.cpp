// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/rtc/direct/messages.h"

#include "core/base/json.h"

#include <utility>

namespace sotto::rtc::direct {
namespace {

using nlohmann::json;

constexpr std::size_t kMaxDepth = 6;

/// Reads members one by one and remembers the first that is no good.
class Reader {
 public:
  explicit Reader(const json& object) : object_(object) {}

  std::string text(const char* name, std::size_t limit) {
    const auto found = object_.find(name);
    if (found == object_.end() || !found->is_string()) {
      refuse(ErrorCode::kInvalid, name, " has to be a string");
      return {};
    }
    auto value = found->get<std::string>();
    if (value.size() > limit) {
      refuse(ErrorCode::kTooLarge, name, " is too long");
      return {};
    }
    return value;
  }
  std::string name(const char* member) {
    auto value = text(member, kMaxNameBytes);
    if (value.empty()) refuse(ErrorCode::kInvalid, member, " is empty");
    return value;
  }
  std::string optional_text(const char* name, std::size_t limit) {
    return object_.contains(name) ? text(name, limit) : std::string();
  }
  /// For people: cut, not refused.
  std::string remark(const char* name) {
    auto value = json_text(object_, name);
    if (value.size() > kMaxTextBytes) value.resize(kMaxTextBytes);
    return value;
  }
  std::string sdp() {
    auto value = text("sdp", kMaxSdpBytes);
    if (value.empty()) refuse(ErrorCode::kInvalid, "sdp", " is empty");
    return value;
  }
  bool flag(const char* name) {
    const auto found = object_.find(name);
    if (found == object_.end() || !found->is_boolean()) {
      refuse(ErrorCode::kInvalid, name, " has to be true or false");
      return false;
    }
    return found->get<bool>();
  }
  int index(const char* name) {
    const auto found = object_.find(name);
    if (found == object_.end()) return 0;
    if (!found->is_number_unsigned() || found->get<std::uint64_t>() > 255) {
      refuse(ErrorCode::kInvalid, name, " has to be a small number");
      return 0;
    }
    return found->get<int>();
  }
  std::vector<IceServer> ice_servers() {
    std::vector<IceServer> servers;
    const auto found = object_.find("ice_servers");
    if (found == object_.end()) return servers;
    if (!found->is_array() || found->size() > kMaxIceServers) {
      refuse(ErrorCode::kInvalid, "ice_servers", " has to be a short list");
      return servers;
    }
    for (const auto& entry : *found) {
      if (!entry.is_object()) {
        refuse(ErrorCode::kInvalid, "ice_servers", " has to hold objects");
        break;
      }
      Reader reader(entry);
      servers.push_back({reader.text("url", kMaxIceServerBytes),
                         reader.optional_text("username", kMaxIceServerBytes),
                         reader.optional_text("credential", kMaxIceServerBytes)});
      if (!reader.result_ && result_) result_ = reader.result_;
    }
    return servers;
  }

  template <class T>
  Result<Message> done(T message) {
    if (!result_) return tl::unexpected<Error>(result_.error());
    return Message(std::move(message));
  }

 private:
  void refuse(ErrorCode code, const char* name, const char* why) {
    if (result_) result_ = fail(code, std::string(name) + why);
  }

  const json& object_;
  Result<> result_;
};

struct Printer {
  json operator()(const Offer& m) const {
    json servers = json::array();
    for (const auto& server : m.ice_servers) {
      json entry = {{"url", server.url}};
      if (!server.username.empty()) {
        entry["username"] = server.username;
        entry["credential"] = server.credential;
      }
      servers.push_back(std::move(entry));
    }
    return {{"type", "offer"},
            {"session", m.session},
            {"sdp", m.sdp},
            {"ice_servers", std::move(servers)}};
  }
  json operator()(const Trickle& m) const {
    return {{"type", "candidate"},
            {"session", m.session},
            {"mid", m.candidate.mid},
            {"index", m.candidate.mline_index},
            {"candidate", m.candidate.candidate}};
  }
  json operator()(const Relay& m) const { return {{"type", "relay"}, {"wanted", m.wanted}}; }
  json operator()(const Answer& m) const {
    return {{"type", "answer"}, {"session", m.session}, {"sdp", m.sdp}};
  }
  json operator()(const Connected& m) const {
    return {{"type", "connected"}, {"session", m.session}};
  }
  json operator()(const End& m) const {
    return {{"type", "end"}, {"session", m.session}, {"reason", cut(m.reason)}};
  }
  json operator()(const Failure& m) const {
    json object = {{"type", "error"}, {"code", m.code}, {"message", cut(m.message)}};
    if (!m.session.empty()) object["session"] = m.session;
    return object;
  }

  static std::string cut(const std::string& text) { return text.substr(0, kMaxTextBytes); }
};

}  // namespace

Result<Message> parse(std::string_view text) {
  const auto object =
      parse_json_object(text, {.max_bytes = kMaxMessageBytes, .max_depth = kMaxDepth});
  if (!object) return tl::unexpected<Error>(object.error());
  const auto type = json_text(*object, "type");
  Reader read(*object);
  if (type == "offer") {
    Offer offer;
    offer.session = read.name("session");
    offer.sdp = read.sdp();
    offer.ice_servers = read.ice_servers();
    return read.done(std::move(offer));
  }
  if (type == "candidate") {
    Trickle trickle;
    trickle.session = read.name("session");
    trickle.candidate.mid = read.optional_text("mid", kMaxNameBytes);
    trickle.candidate.mline_index = read.index("index");
    trickle.candidate.candidate = read.text("candidate", kMaxCandidateBytes);
    return read.done(std::move(trickle));
  }
  if (type == "relay") return read.done(Relay{read.flag("wanted")});
  if (type == "answer") {
    Answer answer;
    answer.session = read.name("session");
    answer.sdp = read.sdp();
    return read.done(std::move(answer));
  }
  if (type == "connected") return read.done(Connected{read.name("session")});
  if (type == "end") {
    End end;
    end.session = read.name("session");
    end.reason = read.remark("reason");
    return read.done(std::move(end));
  }
  if (type == "error") {
    Failure failed;
    failed.session = read.optional_text("session", kMaxNameBytes);
    failed.code = read.name("code");
    failed.message = read.remark("message");
    return read.done(std::move(failed));
  }
  return fail(ErrorCode::kUnsupported, "no message has this type");
}

std::string print(const Message& message) {
  // A text that was cut may end in half a character.
  return std::visit(Printer{}, message).dump(-1, ' ', false, json::error_handler_t::replace);
}

Failure failure(std::string session, const Error& error) {
  return {std::move(session), std::string(name_of(error.code)), error.message};
}

}  // namespace sotto::rtc::direct
