// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// A WebSocket client for tests, on a main context of its own which the test turns.
#pragma once

#include <libsoup/soup.h>

#include <deque>
#include <optional>
#include <string>
#include <vector>

namespace sotto::test {

class SocketClient {
 public:
  /// `http_url` is http://…; `token` goes as Bearer when not empty.
  SocketClient(const std::string& http_url, const std::string& token,
               std::vector<std::string> protocols)
      : context_(g_main_context_new()) {
    const Here here(context_);
    session_ = soup_session_new();
    g_autoptr(SoupMessage) message = soup_message_new("GET", ("ws" + http_url.substr(4)).c_str());
    if (!token.empty()) {
      soup_message_headers_replace(soup_message_get_request_headers(message), "Authorization",
                                   ("Bearer " + token).c_str());
    }
    std::vector<char*> offered;
    offered.reserve(protocols.size() + 1);
    for (auto& protocol : protocols) offered.push_back(protocol.data());
    offered.push_back(nullptr);
    soup_session_websocket_connect_async(
        session_, message, nullptr, offered.data(), G_PRIORITY_DEFAULT, nullptr,
        [](GObject*, GAsyncResult* result, gpointer self) {
          static_cast<SocketClient*>(self)->connected(result);
        },
        this);
    turn([this] { return connection_ != nullptr || refused_; });
    status_ = static_cast<int>(soup_message_get_status(message));
  }
  ~SocketClient() {
    const Here here(context_);
    if (connection_ != nullptr) g_signal_handlers_disconnect_by_data(connection_, this);
    g_clear_object(&connection_);
    soup_session_abort(session_);
    g_clear_object(&session_);
    turn([this] { return g_main_context_pending(context_) == FALSE; });
    g_main_context_unref(context_);
  }
  SocketClient(const SocketClient&) = delete;
  SocketClient& operator=(const SocketClient&) = delete;

  int status() const { return status_; }  ///< Of the handshake.
  bool refused() const { return refused_; }
  void say(const std::string& text) {
    const Here here(context_);
    if (soup_websocket_connection_get_state(connection_) != SOUP_WEBSOCKET_STATE_OPEN) return;
    soup_websocket_connection_send_text(connection_, text.c_str());
  }
  void hang_up() {
    const Here here(context_);
    soup_websocket_connection_close(connection_, 1000, nullptr);
  }
  /// The next message; nothing once the connection has ended.
  std::optional<std::string> hear() {
    turn([this] { return !heard_.empty() || closed_; });
    if (heard_.empty()) return std::nullopt;
    auto text = std::move(heard_.front());
    heard_.pop_front();
    return text;
  }
  int close_code() {
    turn([this] { return closed_; });
    return code_;
  }

 private:
  /// libsoup ties what it begins to the thread's default context.
  class Here {
   public:
    explicit Here(GMainContext* context) : context_(context) {
      g_main_context_push_thread_default(context_);
    }
    ~Here() { g_main_context_pop_thread_default(context_); }
    Here(const Here&) = delete;
    Here& operator=(const Here&) = delete;

   private:
    GMainContext* context_;
  };

  template <class Done>
  void turn(Done done) {
    const Here here(context_);
    while (!done()) g_main_context_iteration(context_, TRUE);
  }
  void connected(GAsyncResult* result) {
    connection_ = soup_session_websocket_connect_finish(session_, result, nullptr);
    refused_ = connection_ == nullptr;
    if (refused_) return;
    soup_websocket_connection_set_max_incoming_payload_size(connection_, 1U << 20U);
    g_signal_connect(connection_, "message",
                     G_CALLBACK(+[](SoupWebsocketConnection*, gint, GBytes* bytes, gpointer self) {
                       gsize size = 0;
                       const auto* data = static_cast<const char*>(g_bytes_get_data(bytes, &size));
                       static_cast<SocketClient*>(self)->heard_.emplace_back(data, size);
                     }),
                     this);
    g_signal_connect(connection_, "closed",
                     G_CALLBACK(+[](SoupWebsocketConnection* socket, gpointer self) {
                       auto* me = static_cast<SocketClient*>(self);
                       me->closed_ = true;
                       me->code_ = soup_websocket_connection_get_close_code(socket);
                     }),
                     this);
  }

  GMainContext* context_;
  SoupSession* session_ = nullptr;
  SoupWebsocketConnection* connection_ = nullptr;
  std::deque<std::string> heard_;
  bool refused_ = false;
  bool closed_ = false;
  int status_ = 0;
  int code_ = 0;
};

}  // namespace sotto::test
