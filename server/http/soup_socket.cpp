// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "server/http/soup_socket.h"

#include "server/base/log.h"
#include "server/http/metered_stream.h"

#include <algorithm>
#include <exception>
#include <utility>

namespace sotto::server {
namespace {

/// Frame headers, pings and pongs between two messages. What goes beyond a message's limit and this
/// is somebody filling our memory with fragments, which libsoup 3.2 collects without a bound.
constexpr std::uint64_t kFramingAllowance = 64U << 10U;
/// A client may stay silent for weeks but for our ping's answer and a ping of its own.
constexpr std::uint64_t kControlFrames = 2U * (125U + 6U);
/// RFC 6455 section 5.5: the reason shares 125 bytes with the code.
constexpr std::size_t kMaxReason = 123;

}  // namespace

SoupSocket::SoupSocket(MainContext& loop, SocketLimits limits, std::size_t max_message,
                       HttpRequest request, SoupWebsocketConnection* connection, GIOStream* stream,
                       GSocket* socket)
    : loop_(loop),
      limits_(limits),
      max_message_(max_message),
      request_(std::move(request)),
      connection_(SOUP_WEBSOCKET_CONNECTION(g_object_ref(connection))),
      stream_(G_IO_STREAM(g_object_ref(stream))),
      socket_(G_SOCKET(g_object_ref(socket))),
      heard_(std::chrono::steady_clock::now()) {
  soup_websocket_connection_set_max_incoming_payload_size(connection_, max_message_);
  soup_websocket_connection_set_keepalive_interval(
      connection_, static_cast<guint>(limits_.ping_interval.count()));
  g_signal_connect(
      connection_, "message",
      G_CALLBACK(+[](SoupWebsocketConnection*, gint type, GBytes* message, gpointer self) {
        const auto alive = static_cast<SoupSocket*>(self)->shared_from_this();
        alive->received(static_cast<SoupWebsocketDataType>(type), message);
      }),
      this);
  g_signal_connect(connection_, "pong",
                   G_CALLBACK(+[](SoupWebsocketConnection*, GBytes*, gpointer self) {
                     static_cast<SoupSocket*>(self)->pong();
                   }),
                   this);
  g_signal_connect(connection_, "closed", G_CALLBACK(+[](SoupWebsocketConnection*, gpointer self) {
                     const auto alive = static_cast<SoupSocket*>(self)->shared_from_this();
                     alive->closed();
                   }),
                   this);
  timer_ = loop_.every(std::chrono::seconds(1), [this] { check(); });
  allow_next_message();
}

SoupSocket::~SoupSocket() {
  g_signal_handlers_disconnect_by_data(connection_, this);
  g_object_unref(connection_);
  g_object_unref(stream_);
  g_object_unref(socket_);
}

void SoupSocket::send(std::string text) {
  if (!open_ || soup_websocket_connection_get_state(connection_) != SOUP_WEBSOCKET_STATE_OPEN) {
    return;
  }
  if (g_utf8_validate(text.data(), static_cast<gssize>(text.size()), nullptr) == FALSE) {
    log::error("http", "a message that is not UTF-8 was not sent", {{"path", request_.path}});
    return;
  }
  const std::uint64_t waiting =
      queued_ - std::min(queued_, metered_stream_meter(stream_).data_written);
  if (waiting + text.size() > limits_.queue_bytes) {
    drop("it does not read what it is sent");
    return;
  }
  queued_ += frame_bytes(text.size());
  auto* kept = new std::string(std::move(text));
  g_autoptr(GBytes) bytes = g_bytes_new_with_free_func(
      kept->data(), kept->size(), [](gpointer data) { delete static_cast<std::string*>(data); },
      kept);
  soup_websocket_connection_send_message(connection_, SOUP_WEBSOCKET_DATA_TEXT, bytes);
}

void SoupSocket::close(int code, std::string reason) {
  if (!open_ || soup_websocket_connection_get_state(connection_) != SOUP_WEBSOCKET_STATE_OPEN) {
    return;
  }
  if (reason.size() > kMaxReason) reason.resize(kMaxReason);
  const char* end = nullptr;
  if (g_utf8_validate(reason.data(), static_cast<gssize>(reason.size()), &end) == FALSE) {
    reason.resize(static_cast<std::size_t>(end - reason.data()));
  }
  soup_websocket_connection_close(connection_, static_cast<gushort>(code), reason.c_str());
}

void SoupSocket::on_message(std::function<void(std::string_view)> handler) {
  message_ = std::move(handler);
}

void SoupSocket::on_close(std::function<void()> handler) { close_ = std::move(handler); }

void SoupSocket::received(SoupWebsocketDataType type, GBytes* message) {
  heard_ = std::chrono::steady_clock::now();
  allow_next_message();
  if (!open_) return;
  if (type != SOUP_WEBSOCKET_DATA_TEXT) {
    close(SOUP_WEBSOCKET_CLOSE_UNSUPPORTED_DATA, "text messages only");
    return;
  }
  gsize size = 0;
  const auto* data = static_cast<const char*>(g_bytes_get_data(message, &size));
  if (size > max_message_) {
    close(SOUP_WEBSOCKET_CLOSE_TOO_BIG, "message too large");
    return;
  }
  if (!message_) return;
  try {
    // A copy: the handler may replace itself.
    const auto handler = message_;
    handler({data, size});
  } catch (const std::exception& failure) {
    log::error("http", "a WebSocket handler failed",
               {{"path", request_.path}, {"error", failure.what()}});
    close(SOUP_WEBSOCKET_CLOSE_SERVER_ERROR, "internal error");
  }
}

void SoupSocket::allow_next_message() {
  StreamMeter& meter = metered_stream_meter(stream_);
  meter.read_limit = meter.read + max_message_ + kFramingAllowance;
}

void SoupSocket::pong() {
  heard_ = std::chrono::steady_clock::now();
  // Pongs nobody asked for must not buy room for fragments.
  if (heard_ - allowed_ < limits_.ping_interval / 2) return;
  allowed_ = heard_;
  metered_stream_meter(stream_).read_limit += kControlFrames;
}

void SoupSocket::check() {
  if (std::chrono::steady_clock::now() - heard_ > limits_.silence_deadline) {
    drop("it answers no pings");
  }
}

void SoupSocket::drop(const char* why) {
  if (!open_) return;
  const auto alive = shared_from_this();
  log::info("http", "a WebSocket client was dropped",
            {{"address", request_.address}, {"path", request_.path}, {"because", why}});
  g_socket_shutdown(socket_, TRUE, TRUE, nullptr);
  closed();
}

void SoupSocket::closed() {
  if (!open_) return;
  open_ = false;
  timer_.cancel();
  if (close_) close_();
  // The handlers often hold the socket itself; without this neither would ever go.
  loop_.post([self = shared_from_this()] {
    self->message_ = nullptr;
    self->close_ = nullptr;
    if (const auto gone = std::exchange(self->gone_, nullptr)) gone();
  });
}

}  // namespace sotto::server
