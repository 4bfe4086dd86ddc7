// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "server/janus/transports/http.h"

#include "server/base/log.h"
#include "server/config/config.h"

#include <algorithm>
#include <charconv>

namespace sotto::server::janus {
namespace {

/// janus.js asks for 10; more in one answer would only make it late.
constexpr std::size_t kMaxEventsPerPoll = 100;
/// Polls one session may have open; an older one is released for a newer.
constexpr std::size_t kMaxPollsPerSession = 8;

std::optional<std::uint64_t> number_of(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::string query_of(const HttpRequest& request, const char* key) {
  const auto it = request.query.find(key);
  return it == request.query.end() ? std::string() : it->second;
}

/// Any page may use the API: it is protected by secrets in the request, never by cookies.
void add_cors(const HttpRequest& request, HttpResponse& response) {
  response.headers.emplace("Access-Control-Allow-Origin", "*");
  response.headers.emplace("Access-Control-Max-Age", "86400");
  const auto method = request.header("Access-Control-Request-Method");
  if (!method.empty()) response.headers.emplace("Access-Control-Allow-Methods", method);
  const auto headers = request.header("Access-Control-Request-Headers");
  if (!headers.empty()) response.headers.emplace("Access-Control-Allow-Headers", headers);
}

void respond(const ExchangePtr& exchange, HttpResponse response) {
  add_cors(exchange->request(), response);
  exchange->respond(std::move(response));
}

/// Only what names itself in a header: a cookie is also sent by other people's pages.
Principal bearer_of(const HttpRequest& request) {
  return request.header("Authorization").empty() ? Principal{} : request.principal;
}

}  // namespace

struct HttpTransport::Poll {
  ExchangePtr exchange;
  std::uint64_t session_id = 0;
  std::size_t max_events = 1;
  bool array = false;
  MainContext::Timer timer;
};

/// All sessions over HTTP share it: they belong to no connection.
class HttpTransport::PollOutlet final : public Outlet {
 public:
  explicit PollOutlet(HttpTransport& transport) : transport_(&transport) {}
  void events_waiting(Session& session) override {
    if (transport_ != nullptr) transport_->deliver(session);
  }
  bool is_connection() const override { return false; }
  void detach() { transport_ = nullptr; }

 private:
  HttpTransport* transport_;
};

HttpTransport::HttpTransport(Context& server, Gateway& gateway, std::chrono::milliseconds wait)
    : server_(server),
      gateway_(gateway),
      wait_(wait),
      outlet_(std::make_shared<PollOutlet>(*this)) {
  gateway_.add_transport("janus.transport.http", "HTTP transport",
                         "Requests by POST, events by long poll");
}

HttpTransport::~HttpTransport() { outlet_->detach(); }

void HttpTransport::serve(Router& router, Listener listener, const std::string& base) {
  const RouteOptions options{server_.config.janus.max_message_bytes, false};
  router.add(listener, "*", base, Access::own(), options,
             [this](ExchangePtr exchange) { post(exchange); });
  router.add(listener, "*", base + "/{rest...}", Access::own(), options,
             [this](ExchangePtr exchange) { post(exchange); });
}

void HttpTransport::post(const ExchangePtr& exchange) {
  const HttpRequest& request = exchange->request();
  if (request.method == "OPTIONS") {
    respond(exchange, HttpResponse::empty(200));
    return;
  }
  if (request.method == "GET") {
    get(exchange);
    return;
  }
  if (request.method != "POST") {
    const Json refused = error_reply({Code::kTransport, "Use POST for requests, GET for events"});
    respond(exchange, HttpResponse::json(405, dump(refused)));
    return;
  }
  Origin origin{outlet_, request.address, bearer_of(request), std::nullopt, std::nullopt};
  const auto rest = request.params.find("rest");
  if (rest != request.params.end() && !rest->second.empty()) {
    const std::string_view path = rest->second;
    const auto slash = path.find('/');
    // What is no number is no session either.
    origin.session_id = number_of(path.substr(0, slash)).value_or(0);
    if (slash != std::string_view::npos) {
      const auto handle = path.substr(slash + 1);
      if (handle.find('/') != std::string_view::npos) {
        const Json refused = error_reply({Code::kInvalidPath, "No such path"});
        respond(exchange, HttpResponse::json(200, dump(refused)));
        return;
      }
      if (!handle.empty()) origin.handle_id = number_of(handle).value_or(0);
    }
  }
  gateway_.receive(request.body, origin, /*several=*/false, [&](const Json& reply) {
    respond(exchange, HttpResponse::json(200, dump(reply)));
  });
}

void HttpTransport::get(const ExchangePtr& exchange) {
  const HttpRequest& request = exchange->request();
  const auto rest = request.params.find("rest");
  const std::string path = rest == request.params.end() ? std::string() : rest->second;
  if (path == "info") {
    respond(exchange, HttpResponse::json(200, dump(gateway_.server_info("info"))));
    return;
  }
  if (path == "ping") {
    const Json pong{{"janus", "pong"}, {"transaction", "ping"}};
    respond(exchange, HttpResponse::json(200, dump(pong)));
    return;
  }
  const auto slash = path.find('/');
  const auto session_id = number_of(std::string_view(path).substr(0, slash));
  if (!session_id) {
    respond(exchange, HttpResponse::empty(404));
    return;
  }
  if (slash != std::string::npos) {
    // Polls are for sessions: whoever asks below a handle is sent one level up.
    HttpResponse redirect = HttpResponse::empty(302);
    const std::string& full = request.path;
    redirect.headers.emplace("Location", full.substr(0, full.size() - (path.size() - slash)));
    respond(exchange, std::move(redirect));
    return;
  }
  poll(exchange, *session_id);
}

void HttpTransport::poll(const ExchangePtr& exchange, std::uint64_t session_id) {
  const HttpRequest& request = exchange->request();
  if (!gateway_.gatekeeper().admit(query_of(request, "apisecret"), query_of(request, "token"),
                                   bearer_of(request))) {
    respond(exchange, HttpResponse::empty(403));
    return;
  }
  const auto session = gateway_.find(session_id);
  if (session == nullptr) {
    respond(exchange, HttpResponse::empty(404));
    return;
  }
  session->touch();

  auto poll = std::make_shared<Poll>();
  poll->exchange = exchange;
  poll->session_id = session_id;
  const auto wanted = number_of(query_of(request, "maxev")).value_or(1);
  poll->array = wanted > 1;
  poll->max_events =
      static_cast<std::size_t>(std::clamp<std::uint64_t>(wanted, 1, kMaxEventsPerPoll));

  // Events of a session that moved to a WebSocket go there; a poll then only waits.
  if (session->outlet() == outlet_ && session->has_events()) {
    finish(poll, session->take(poll->max_events));
    return;
  }
  auto& waiting = polls_[session_id];
  if (waiting.size() == kMaxPollsPerSession) {
    const auto oldest = waiting.front();
    forget(oldest);
    finish(oldest, {});
  }
  polls_[session_id].push_back(poll);
  const std::weak_ptr<Poll> weak = poll;
  poll->timer = server_.loop.after(wait_, [this, weak] {
    if (const auto due = weak.lock()) {
      forget(due);
      finish(due, {});
    }
  });
  exchange->on_abort([this, weak] {
    if (const auto gone = weak.lock()) forget(gone);
  });
}

void HttpTransport::deliver(Session& session) {
  const auto it = polls_.find(session.id());
  if (it == polls_.end()) return;
  const auto waiting = std::move(it->second);
  polls_.erase(it);
  // The first gets the events; the others are released, as clients expect.
  for (std::size_t i = 0; i < waiting.size(); ++i) {
    finish(waiting[i], i == 0 ? session.take(waiting[i]->max_events) : std::vector<Json>{});
  }
}

void HttpTransport::finish(const std::shared_ptr<Poll>& poll, std::vector<Json> events) {
  poll->timer.cancel();
  if (events.empty()) events.push_back({{"janus", "keepalive"}});
  const std::string body = poll->array ? dump(Json(std::move(events))) : dump(events.front());
  respond(poll->exchange, HttpResponse::json(200, body));
  poll->exchange.reset();
}

void HttpTransport::forget(const std::shared_ptr<Poll>& poll) {
  poll->timer.cancel();
  const auto it = polls_.find(poll->session_id);
  if (it == polls_.end()) return;
  std::erase(it->second, poll);
  if (it->second.empty()) polls_.erase(it);
}

std::size_t HttpTransport::waiting() const {
  std::size_t count = 0;
  for (const auto& [id, waiting] : polls_) count += waiting.size();
  return count;
}

void HttpTransport::stop() {
  const auto polls = std::move(polls_);
  polls_.clear();
  for (const auto& [id, waiting] : polls) {
    for (const auto& poll : waiting) finish(poll, {});
  }
}

}  // namespace sotto::server::janus
