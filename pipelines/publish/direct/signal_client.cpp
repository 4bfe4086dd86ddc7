// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "pipelines/publish/direct/signal_client.h"

#include <libsoup/soup.h>

#include <utility>

namespace sotto {

using std::chrono::steady_clock;

namespace {

constexpr std::string_view kEndpoint = "/whip/";  // As long as /whep/.

/// docs/api.md and docs/sealed-groups.md
ErrorCode code_of(int close_code) {
  switch (close_code) {
    case 4001:
    case 4009: return ErrorCode::kConflict;
    case 4003: return ErrorCode::kDenied;
    case 4004: return ErrorCode::kNotFound;
    default: return ErrorCode::kUnavailable;
  }
}

}  // namespace

Result<MediaAddress> media_address(const std::string& location) {
  const auto bad = [] {
    return fail(ErrorCode::kInvalid,
                "the address of a sotto server is needed: https://server/whip/NAME");
  };
  g_autoptr(GUri) uri =
      g_uri_parse(location.c_str(),
                  static_cast<GUriFlags>(G_URI_FLAGS_ENCODED | G_URI_FLAGS_HAS_PASSWORD), nullptr);
  if (uri == nullptr || g_uri_get_host(uri) == nullptr) return bad();
  const std::string scheme = g_uri_get_scheme(uri);
  if (scheme != "http" && scheme != "https") return bad();
  const std::string path = g_uri_get_path(uri);
  auto at = path.rfind("/whip/");
  if (at == std::string::npos) at = path.rfind("/whep/");
  if (at == std::string::npos) return bad();
  const auto name = path.substr(at + kEndpoint.size());
  if (name.empty() || name.find('/') != std::string::npos) return bad();
  g_autofree gchar* text = g_uri_join(G_URI_FLAGS_ENCODED, scheme == "https" ? "wss" : "ws",
                                      nullptr, g_uri_get_host(uri), g_uri_get_port(uri),
                                      path.substr(0, at).c_str(), nullptr, nullptr);
  return MediaAddress{text, name};
}

Result<std::string> signal_address(const std::string& whip_location) {
  const auto address = media_address(whip_location);
  if (!address || whip_location.rfind("/whip/") == std::string::npos) {
    return fail(ErrorCode::kInvalid,
                "--direct needs the address of a sotto server: https://server/whip/NAME");
  }
  return address->base + "/v1/publish/" + address->name + "/signal";
}

// Shared with libsoup's callbacks, which may come after the client is gone.
struct SignalClient::State : std::enable_shared_from_this<State> {
  SignalSettings settings;
  Callbacks callbacks;
  MainContext loop;
  SoupSession* session = nullptr;
  SoupMessage* message = nullptr;
  SoupWebsocketConnection* connection = nullptr;
  GCancellable* cancellable = g_cancellable_new();
  MainContext::Timer deadline;
  MainContext::Timer watch;
  steady_clock::time_point heard{};
  bool over = false;

  ~State() {
    g_clear_object(&message);
    g_clear_object(&session);
    g_clear_object(&cancellable);
  }

  Result<> open();
  void connected(GAsyncResult* result);
  void end(Error error);
  void cut();
  Error why(GError* error) const;
};

Error SignalClient::State::why(GError* error) const {
  const auto& url = settings.address;
  const auto status = message == nullptr ? SOUP_STATUS_NONE : soup_message_get_status(message);
  if (status == 401 || status == 403) {
    return {ErrorCode::kUnauthenticated,
            "the server wants another token for " + url + " (--token-file, SOTTO_TOKEN)"};
  }
  if (status == 404) {
    return {ErrorCode::kNotFound,
            "the server knows nothing of " + settings.feature + "; check the address: " + url};
  }
  if (error != nullptr && error->domain == G_TLS_ERROR) {
    return {ErrorCode::kIo,
            "the certificate of " + url +
                " is not trusted (--ca-file names another authority): " + error->message};
  }
  std::string text = error != nullptr ? error->message : "unknown error";
  if (status >= 400) text = "status " + std::to_string(static_cast<int>(status));
  return {ErrorCode::kIo, "cannot reach " + url + ": " + text};
}

Result<> SignalClient::State::open() {
  session = soup_session_new();
  soup_session_set_user_agent(session, "sotto/" SOTTO_VERSION);
  if (!settings.ca_file.empty()) {
    GError* error = nullptr;
    GTlsDatabase* database = g_tls_file_database_new(settings.ca_file.c_str(), &error);
    if (database == nullptr) {
      auto failure = fail(ErrorCode::kNotFound, std::string("--ca-file cannot be used: ") +
                                                    (error != nullptr ? error->message : ""));
      g_clear_error(&error);
      return failure;
    }
    soup_session_set_tls_database(session, database);
    g_object_unref(database);
  }
  message = soup_message_new("GET", settings.address.c_str());
  if (message == nullptr) return fail(ErrorCode::kInvalid, "not an address: " + settings.address);
  if (!settings.token.empty()) {
    soup_message_headers_replace(soup_message_get_request_headers(message), "Authorization",
                                 ("Bearer " + settings.token).c_str());
  }
  if (!settings.validate_tls) {
    g_signal_connect(message, "accept-certificate",
                     G_CALLBACK(+[](SoupMessage*, GTlsCertificate*, GTlsCertificateFlags,
                                    gpointer) -> gboolean { return TRUE; }),
                     nullptr);
  }
  char* protocols[] = {settings.protocol.data(), nullptr};
  soup_session_websocket_connect_async(
      session, message, nullptr, protocols, G_PRIORITY_DEFAULT, cancellable,
      [](GObject*, GAsyncResult* result, gpointer held) {
        const std::unique_ptr<std::shared_ptr<State>> self(
            static_cast<std::shared_ptr<State>*>(held));
        (*self)->connected(result);
      },
      new std::shared_ptr<State>(shared_from_this()));
  return {};
}

void SignalClient::State::connected(GAsyncResult* result) {
  GError* error = nullptr;
  connection = soup_session_websocket_connect_finish(session, result, &error);
  if (over) {
    g_clear_error(&error);
    cut();
    return;
  }
  if (connection == nullptr) {
    auto reason = why(error);
    g_clear_error(&error);
    end(std::move(reason));
    return;
  }
  deadline.cancel();
  heard = steady_clock::now();
  soup_websocket_connection_set_max_incoming_payload_size(connection, settings.max_message);
  soup_websocket_connection_set_keepalive_interval(connection, static_cast<guint>(kPing.count()));
  const auto tie = [this](const char* signal, GCallback callback) {
    g_signal_connect_data(
        connection, signal, callback, new std::weak_ptr<State>(weak_from_this()),
        [](gpointer held, GClosure*) { delete static_cast<std::weak_ptr<State>*>(held); },
        static_cast<GConnectFlags>(0));
  };
  tie("message", G_CALLBACK(+[](SoupWebsocketConnection*, gint type, GBytes* bytes, gpointer held) {
        const auto self = static_cast<std::weak_ptr<State>*>(held)->lock();
        if (!self || self->over || type != SOUP_WEBSOCKET_DATA_TEXT) return;
        self->heard = steady_clock::now();
        gsize size = 0;
        const auto* data = static_cast<const char*>(g_bytes_get_data(bytes, &size));
        const auto handler = self->callbacks.message;
        handler({data, size});
      }));
  tie("pong", G_CALLBACK(+[](SoupWebsocketConnection*, GBytes*, gpointer held) {
        const auto self = static_cast<std::weak_ptr<State>*>(held)->lock();
        if (self) self->heard = steady_clock::now();
      }));
  tie("closed", G_CALLBACK(+[](SoupWebsocketConnection* socket, gpointer held) {
        const auto self = static_cast<std::weak_ptr<State>*>(held)->lock();
        if (!self) return;
        const char* reason = soup_websocket_connection_get_close_data(socket);
        const int code = soup_websocket_connection_get_close_code(socket);
        std::string text = "the server closed the connection";
        if (reason != nullptr && *reason != '\0') text += std::string(": ") + reason;
        self->end({code_of(code), text});
      }));
  watch = loop.every(std::chrono::seconds(1), [this] {
    if (steady_clock::now() - heard > kSilence) {
      end({ErrorCode::kTimeout, "the server answers no more"});
    }
  });
  const auto opened = callbacks.opened;
  opened();
}

void SignalClient::State::cut() {
  deadline.cancel();
  watch.cancel();
  g_cancellable_cancel(cancellable);
  if (connection == nullptr) return;
  if (soup_websocket_connection_get_state(connection) == SOUP_WEBSOCKET_STATE_OPEN) {
    soup_websocket_connection_close(connection, SOUP_WEBSOCKET_CLOSE_GOING_AWAY, nullptr);
  }
  // It lives until its closing handshake is done; libsoup holds it that long.
  g_clear_object(&connection);
}

void SignalClient::State::end(Error error) {
  if (std::exchange(over, true)) return;
  const auto alive = shared_from_this();
  cut();
  const auto closed = std::exchange(callbacks.closed, nullptr);
  if (closed) closed(std::move(error));
}

SignalClient::SignalClient(SignalSettings settings, Callbacks callbacks)
    : state_(std::make_shared<State>()) {
  state_->settings = std::move(settings);
  state_->callbacks = std::move(callbacks);
}

SignalClient::~SignalClient() { close(); }

void SignalClient::start() {
  const std::weak_ptr<State> weak = state_;
  state_->deadline = state_->loop.after(kConnectDeadline, [weak] {
    const auto self = weak.lock();
    if (self) self->end({ErrorCode::kTimeout, "no answer from " + self->settings.address});
  });
  if (const auto opened = state_->open(); !opened) {
    state_->loop.post([weak, error = opened.error()] {
      if (const auto self = weak.lock()) self->end(error);
    });
  }
}

void SignalClient::send(const std::string& text) {
  if (state_->over || state_->connection == nullptr ||
      soup_websocket_connection_get_state(state_->connection) != SOUP_WEBSOCKET_STATE_OPEN) {
    return;
  }
  soup_websocket_connection_send_text(state_->connection, text.c_str());
}

void SignalClient::close() {
  if (std::exchange(state_->over, true)) return;
  state_->cut();
}

}  // namespace sotto
