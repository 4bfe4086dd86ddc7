// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// Long polls and WebSockets as the wire shows them, against a whole server.
#include "core/base/scope_exit.h"
#include "server/janus/feature.h"
#include "server/janus/transports/http.h"
#include "tests/server/janus/support.h"
#include "tests/support/server_fixture.h"

#include <libsoup/soup.h>

#include <condition_variable>
#include <deque>
#include <future>
#include <mutex>
#include <thread>

namespace sotto::server::janus::testing {
namespace {

constexpr const char* kEcho = "janus.plugin.echotest";
constexpr std::chrono::seconds kBound{30};

/// A WebSocket client on a thread of its own: what it gets is kept in order.
class WsClient {
 public:
  WsClient(const std::string& url, std::vector<std::string> protocols)
      : thread_([this, url, protocols] { run(url, protocols); }) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, kBound, [this] { return settled_; });
  }
  ~WsClient() {
    close();
    thread_.join();
  }
  bool open() {
    const std::lock_guard lock(mutex_);
    return open_;
  }
  std::string protocol() {
    const std::lock_guard lock(mutex_);
    return protocol_;
  }
  void send(const std::string& text) {
    context_.post([this, text] {
      if (socket_ != nullptr) soup_websocket_connection_send_text(socket_, text.c_str());
    });
  }
  /// The next message; null when none comes.
  Json next() {
    std::unique_lock lock(mutex_);
    if (!changed_.wait_for(lock, kBound, [this] { return !inbox_.empty() || !open_; }) ||
        inbox_.empty()) {
      return {};
    }
    Json message = Json::parse(inbox_.front());
    inbox_.pop_front();
    return message;
  }
  Json ask(Json body) {
    body["transaction"] = "ws";
    send(dump(body));
    return next();
  }
  bool wait_closed() {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kBound, [this] { return !open_; });
  }
  void close() {
    context_.post([this] { g_main_loop_quit(loop_); });
  }

 private:
  void run(const std::string& url, std::vector<std::string> protocols) {
    g_main_context_push_thread_default(raw_);
    SoupSession* session = soup_session_new();
    soup_session_set_proxy_resolver(session, nullptr);
    SoupMessage* message = soup_message_new("GET", url.c_str());
    std::vector<char*> list;
    for (auto& protocol : protocols) list.push_back(protocol.data());
    list.push_back(nullptr);
    soup_session_websocket_connect_async(
        session, message, nullptr, protocols.empty() ? nullptr : list.data(), G_PRIORITY_DEFAULT,
        nullptr,
        +[](GObject* source, GAsyncResult* result, gpointer self) {
          auto* client = static_cast<WsClient*>(self);
          g_autoptr(GError) error = nullptr;
          client->connected(
              soup_session_websocket_connect_finish(SOUP_SESSION(source), result, &error));
        },
        this);
    g_main_loop_run(loop_);
    if (socket_ != nullptr) {
      if (soup_websocket_connection_get_state(socket_) == SOUP_WEBSOCKET_STATE_OPEN) {
        soup_websocket_connection_close(socket_, 1000, nullptr);
        while (soup_websocket_connection_get_state(socket_) != SOUP_WEBSOCKET_STATE_CLOSED) {
          g_main_context_iteration(raw_, TRUE);
        }
      }
      g_signal_handlers_disconnect_by_data(socket_, this);
      g_object_unref(socket_);
    }
    g_object_unref(message);
    g_object_unref(session);
    g_main_context_pop_thread_default(raw_);
    g_main_loop_unref(loop_);
    g_main_context_unref(raw_);
  }
  void connected(SoupWebsocketConnection* socket) {
    socket_ = socket;
    if (socket != nullptr) {
      g_signal_connect(socket, "message",
                       G_CALLBACK(+[](SoupWebsocketConnection*, int, GBytes* bytes, gpointer self) {
                         auto* client = static_cast<WsClient*>(self);
                         gsize size = 0;
                         const auto* data =
                             static_cast<const char*>(g_bytes_get_data(bytes, &size));
                         const std::lock_guard lock(client->mutex_);
                         client->inbox_.emplace_back(data, size);
                         client->changed_.notify_all();
                       }),
                       this);
      g_signal_connect(socket, "closed", G_CALLBACK(+[](SoupWebsocketConnection*, gpointer self) {
                         auto* client = static_cast<WsClient*>(self);
                         const std::lock_guard lock(client->mutex_);
                         client->open_ = false;
                         client->changed_.notify_all();
                       }),
                       this);
    }
    const std::lock_guard lock(mutex_);
    settled_ = true;
    open_ = socket != nullptr;
    if (socket != nullptr) {
      const char* protocol = soup_websocket_connection_get_protocol(socket);
      protocol_ = protocol == nullptr ? "" : protocol;
    }
    changed_.notify_all();
  }

  GMainContext* raw_ = g_main_context_new();
  MainContext context_{raw_};
  GMainLoop* loop_ = g_main_loop_new(raw_, FALSE);
  SoupWebsocketConnection* socket_ = nullptr;
  std::mutex mutex_;  // Protects what follows.
  std::condition_variable changed_;
  bool settled_ = false;
  bool open_ = false;
  std::string protocol_;
  std::deque<std::string> inbox_;
  std::thread thread_;
};

class Transports : public test::ServerFixture {
 protected:
  void SetUp() override {
    config.janus.open = true;
    options.features = [this](Context& context) {
      std::vector<std::unique_ptr<Feature>> features;
      auto feature = std::make_unique<JanusFeature>(
          context,
          [this](rtc::PeerOptions, rtc::PeerListener& listener) {
            auto peer = std::make_shared<FakePeer>(listener);
            peers.push_back(peer);
            return peer;
          },
          poll_wait);
      janus = feature.get();
      features.push_back(std::move(feature));
      return features;
    };
  }
  std::string url(const std::string& path = {}) { return address("janus_http") + "/janus" + path; }
  std::string ws_url() {
    const std::string http_form = address("janus_ws");
    return "ws" + http_form.substr(http_form.find(':')) + "/";
  }

  Json post(const std::string& path, Json body) {
    if (!body.contains("transaction")) body["transaction"] = "t";
    const auto answer = http.post(url(path), dump(body));
    EXPECT_EQ(answer.status, 200);
    return Json::parse(answer.body, nullptr, false);
  }
  std::string create() {
    return "/" + std::to_string(post("", {{"janus", "create"}})["data"]["id"].get<std::uint64_t>());
  }
  std::string attach(const std::string& session) {
    const Json reply = post(session, {{"janus", "attach"}, {"plugin", kEcho}});
    return session + "/" + std::to_string(reply["data"]["id"].get<std::uint64_t>());
  }
  std::future<test::HttpAnswer> poll(const std::string& path) {
    return std::async(std::launch::async, [target = url(path)] {
      test::HttpClient client;
      return client.get(target);
    });
  }
  /// Waits until this many polls of HTTP wait in the server.
  void await_polls(std::size_t count) {
    const auto deadline = std::chrono::steady_clock::now() + kBound;
    while (call([this](Context&) { return janus->http().waiting(); }) != count) {
      ASSERT_LT(std::chrono::steady_clock::now(), deadline);
      std::this_thread::yield();
    }
  }

  JanusFeature* janus = nullptr;
  std::vector<std::weak_ptr<FakePeer>> peers;
  std::chrono::milliseconds poll_wait{1500};
};

TEST_F(Transports, HttpRequestsAndTheirAnswers) {
  start();
  http.set_token("");
  const auto info = http.get(url("/info"));
  EXPECT_EQ(info.status, 200);
  EXPECT_EQ(info.header("content-type"), "application/json");
  EXPECT_EQ(Json::parse(info.body)["janus"], "server_info");
  EXPECT_EQ(info.header("access-control-allow-origin"), "*");
  EXPECT_EQ(Json::parse(http.get(url("/ping")).body)["janus"], "pong");
  const std::string session = create();
  const std::string handle = attach(session);
  EXPECT_EQ(post(session, {{"janus", "keepalive"}})["janus"], "ack");
  EXPECT_EQ(post(handle, {{"janus", "message"}, {"body", {{"audio", true}}}})["janus"], "ack");
  // A page that is left sends text/plain.
  const auto beacon =
      http.request("POST", url(session), R"({"janus":"keepalive","transaction":"b"})",
                   {{"Content-Type", "text/plain;charset=UTF-8"}});
  EXPECT_EQ(Json::parse(beacon.body)["janus"], "ack");
  EXPECT_EQ(code_of(post("/123", {{"janus", "keepalive"}})), 458);
  EXPECT_EQ(code_of(post("/abc", {{"janus", "keepalive"}})), 458);
  EXPECT_EQ(code_of(post(session + "/5", {{"janus", "detach"}})), 459);
  EXPECT_EQ(code_of(post(session, {{"janus", "keepalive"}, {"session_id", 5}})), 457);
  EXPECT_EQ(code_of(post(handle + "/more", {{"janus", "detach"}})), 457);
  EXPECT_EQ(code_of(Json::parse(http.post(url(), "garbage").body)), 454);
  EXPECT_EQ(code_of(Json::parse(http.post(url(), "[]").body)), 455);
  EXPECT_EQ(code_of(Json::parse(http.post(url(), "{}{}").body)), 454);
  EXPECT_EQ(http.request("PUT", url(), "{}").status, 405);
}

TEST_F(Transports, PreflightIsAnsweredWithWhatWasAsked) {
  start();
  http.set_token("");
  const auto answer = http.request("OPTIONS", url("/5"), "",
                                   {{"Origin", "https://elsewhere.example"},
                                    {"Access-Control-Request-Method", "POST"},
                                    {"Access-Control-Request-Headers", "content-type"}});
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.header("access-control-allow-origin"), "*");
  EXPECT_EQ(answer.header("access-control-allow-methods"), "POST");
  EXPECT_EQ(answer.header("access-control-allow-headers"), "content-type");
  EXPECT_EQ(answer.header("access-control-max-age"), "86400");
}

TEST_F(Transports, ATenMegabyteBodyIsRefusedUnread) {
  start();
  http.set_token("");
  const auto answer = http.post(url(), std::string(10U << 20U, 'x'));
  // The connection is cut while the body still comes in: the client may miss the answer.
  EXPECT_TRUE(answer.status == 413 || answer.status == 0) << answer.status;
  EXPECT_EQ(http.get(url("/info")).status, 200);
}

TEST_F(Transports, PollsGiveEventsInTheFormAsked) {
  start();
  http.set_token("");
  const std::string session = create();
  const std::string handle = attach(session);
  post(handle, {{"janus", "message"}, {"body", {{"audio", true}}}, {"transaction", "one"}});
  post(handle, {{"janus", "message"}, {"body", {{"video", true}}}, {"transaction", "two"}});
  post(handle, {{"janus", "message"}, {"body", {{"video", true}}}, {"transaction", "three"}});
  const Json single = Json::parse(http.get(url(session)).body);
  EXPECT_EQ(single["transaction"], "one");
  EXPECT_EQ(single["janus"], "event");
  const Json several = Json::parse(http.get(url(session + "?maxev=10&rid=1")).body);
  ASSERT_TRUE(several.is_array());
  ASSERT_EQ(several.size(), 2U);
  EXPECT_EQ(several[1]["transaction"], "three");
}

TEST_F(Transports, AnEmptyPollWaitsThenSaysKeepalive) {
  start();
  http.set_token("");
  const std::string session = create();
  EXPECT_EQ(Json::parse(http.get(url(session)).body), (Json{{"janus", "keepalive"}}));
  EXPECT_EQ(Json::parse(http.get(url(session + "?maxev=5")).body),
            Json::array({Json{{"janus", "keepalive"}}}));
}

TEST_F(Transports, TheFirstPollGetsTheEventTheOthersAreReleased) {
  poll_wait = kBound;
  start();
  http.set_token("");
  const std::string session = create();
  const std::string handle = attach(session);
  auto first = poll(session);
  await_polls(1);
  auto second = poll(session + "?maxev=2");
  await_polls(2);
  post(handle, {{"janus", "message"}, {"body", {{"audio", true}}}, {"transaction", "it"}});
  EXPECT_EQ(Json::parse(first.get().body)["transaction"], "it");
  EXPECT_EQ(Json::parse(second.get().body), Json::array({Json{{"janus", "keepalive"}}}));
}

TEST_F(Transports, BadPolls) {
  config.janus.open = false;
  config.janus.api_secret = "hush";
  start();
  http.set_token("");
  EXPECT_EQ(code_of(post("", {{"janus", "create"}})), 403);
  const Json made = post("", {{"janus", "create"}, {"apisecret", "hush"}});
  const std::string session = "/" + std::to_string(made["data"]["id"].get<std::uint64_t>());
  const auto refused = http.get(url(session));
  EXPECT_EQ(refused.status, 403);
  EXPECT_EQ(refused.body, "");
  EXPECT_EQ(http.get(url(session + "?apisecret=hus")).status, 403);
  EXPECT_EQ(http.get(url(session + "?apisecret=hush")).status, 200);
  const auto unknown = http.get(url("/77?apisecret=hush"));
  EXPECT_EQ(unknown.status, 404);
  EXPECT_EQ(unknown.body, "");
  EXPECT_EQ(http.get(url("/nonsense?apisecret=hush")).status, 404);
}

TEST_F(Transports, APollBelowAHandleIsSentToItsSession) {
  start();
  test::HttpClient plain;
  const std::string session = create();
  const std::string handle = attach(session);
  post(handle, {{"janus", "message"}, {"body", {{"audio", true}}}, {"transaction", "x"}});
  // The client follows the redirect and gets the event there.
  EXPECT_EQ(Json::parse(plain.get(url(handle)).body)["transaction"], "x");
}

TEST_F(Transports, DestroyDoesNotWakeAPoll) {
  poll_wait = std::chrono::milliseconds(2000);
  start();
  http.set_token("");
  const std::string session = create();
  auto waiting = poll(session);
  await_polls(1);
  EXPECT_EQ(post(session, {{"janus", "destroy"}})["janus"], "success");
  EXPECT_EQ(call([this](Context&) { return janus->http().waiting(); }), 1U);
  EXPECT_EQ(Json::parse(waiting.get().body)["janus"], "keepalive");
  EXPECT_EQ(http.get(url(session)).status, 404);
}

TEST_F(Transports, AbandonedPollsAreForgotten) {
  poll_wait = std::chrono::minutes(5);
  start();
  http.set_token("");
  const std::string session = create();
  {
    GSocketClient* client = g_socket_client_new();
    const ScopeExit done([client] { g_object_unref(client); });
    const std::string base = address("janus_http");
    g_autoptr(GSocketConnection) connection =
        g_socket_client_connect_to_uri(client, base.c_str(), 80, nullptr, nullptr);
    ASSERT_NE(connection, nullptr);
    const std::string request = "GET /janus" + session + " HTTP/1.1\r\nHost: localhost\r\n\r\n";
    GOutputStream* out = g_io_stream_get_output_stream(G_IO_STREAM(connection));
    g_output_stream_write_all(out, request.data(), request.size(), nullptr, nullptr, nullptr);
    await_polls(1);
  }
  await_polls(0);
}

TEST_F(Transports, WebSocketNeedsTheSubprotocol) {
  start();
  EXPECT_FALSE(WsClient(ws_url(), {}).open());
  EXPECT_FALSE(WsClient(ws_url(), {"other"}).open());
  EXPECT_FALSE(WsClient(ws_url(), {"janus-admin-protocol"}).open());
  WsClient good(ws_url() + "any/path", {"other", "janus-protocol"});
  ASSERT_TRUE(good.open());
  EXPECT_EQ(good.protocol(), "janus-protocol");
  EXPECT_EQ(good.ask({{"janus", "ping"}})["janus"], "pong");
}

TEST_F(Transports, WebSocketCarriesRequestsEventsAndMistakes) {
  start();
  WsClient ws(ws_url(), {"janus-protocol"});
  ASSERT_TRUE(ws.open());
  const auto session = ws.ask({{"janus", "create"}})["data"]["id"].get<std::uint64_t>();
  const auto handle =
      ws.ask({{"janus", "attach"}, {"session_id", session}, {"plugin", kEcho}})["data"]["id"]
          .get<std::uint64_t>();
  const Json message{{"janus", "message"},
                     {"session_id", session},
                     {"handle_id", handle},
                     {"body", {{"audio", true}}}};
  EXPECT_EQ(ws.ask(message)["janus"], "ack");
  EXPECT_EQ(ws.next()["plugindata"]["data"]["result"], "ok");
  ws.send("garbage");
  const Json error = ws.next();
  EXPECT_EQ(code_of(error), 454);
  EXPECT_FALSE(error.contains("transaction"));
  ws.send(R"({"janus":"ping","transaction":"a"}{"janus":"ping","transaction":"b"})");
  EXPECT_EQ(ws.next()["transaction"], "a");
  EXPECT_EQ(ws.next()["transaction"], "b");
}

TEST_F(Transports, AClosedWebSocketTakesItsSessionsAlong) {
  start();
  {
    WsClient ws(ws_url(), {"janus-protocol"});
    ASSERT_TRUE(ws.open());
    ws.ask({{"janus", "create"}});
    EXPECT_EQ(call([this](Context&) { return janus->gateway().sessions(); }), 1U);
  }
  const auto deadline = std::chrono::steady_clock::now() + kBound;
  while (call([this](Context&) { return janus->gateway().sessions(); }) != 0) {
    ASSERT_LT(std::chrono::steady_clock::now(), deadline);
  }
}

TEST_F(Transports, ClaimMovesASessionBetweenTransports) {
  config.janus.reclaim_timeout = std::chrono::seconds(60);
  start();
  http.set_token("");
  const std::string session = create();
  const std::string handle = attach(session);
  const auto id = std::stoull(session.substr(1));
  WsClient ws(ws_url(), {"janus-protocol"});
  ASSERT_TRUE(ws.open());
  EXPECT_EQ(ws.ask({{"janus", "claim"}, {"session_id", id}})["janus"], "success");
  post(handle, {{"janus", "message"}, {"body", {{"audio", true}}}, {"transaction", "moved"}});
  EXPECT_EQ(ws.next()["transaction"], "moved") << "events go to the claiming connection";
}

TEST_F(Transports, TheSameApiOnTheMainListener) {
  start();
  http.set_token("");
  const std::string main = address("http");
  EXPECT_EQ(http.get(main + "/janus/info").status, 200);
  WsClient ws("ws" + main.substr(4) + "/janus", {"janus-protocol"});
  ASSERT_TRUE(ws.open());
  EXPECT_EQ(ws.ask({{"janus", "ping"}})["janus"], "pong");
}

TEST_F(Transports, ABearerTokenIsAsGoodAsOneInTheBody) {
  config.janus.open = false;
  start();
  EXPECT_EQ(post("", {{"janus", "create"}})["janus"], "success") << "the admin's own token";
  http.set_token("");
  EXPECT_EQ(code_of(post("", {{"janus", "create"}})), 403);
  EXPECT_EQ(post("", {{"janus", "create"}, {"token", admin_token()}})["janus"], "success");
}

}  // namespace
}  // namespace sotto::server::janus::testing
