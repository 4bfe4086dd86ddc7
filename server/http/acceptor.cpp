// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "server/http/acceptor.h"

#include "server/base/log.h"

#include <utility>

namespace sotto::server {
namespace {

constexpr int kBacklog = 512;
/// Connections taken before other work gets its turn.
constexpr int kBatch = 64;
/// Without free descriptors accept() fails at once and again; somebody has to go first.
constexpr std::chrono::milliseconds kPause{200};

struct Handshake {
  std::weak_ptr<Acceptor::Accepted> accepted;
  GSocket* socket;  // Owned.
};

void shaken(GObject* source, GAsyncResult* result, gpointer data) {
  const std::unique_ptr<Handshake> handshake(static_cast<Handshake*>(data));
  g_autoptr(GSocket) socket = handshake->socket;
  g_autoptr(GIOStream) stream = G_IO_STREAM(source);
  // A client that does not trust our authority ends here; it is its business to say so.
  if (g_tls_connection_handshake_finish(G_TLS_CONNECTION(source), result, nullptr) == FALSE) return;
  Connection* connection = Connections::of(socket);
  if (const auto accepted = handshake->accepted.lock(); accepted && connection != nullptr) {
    (*accepted)(stream, *connection);
  }
}

}  // namespace

Result<std::unique_ptr<Acceptor>> Acceptor::open(MainContext& loop, Connections& connections,
                                                 const ListenAddress& address,
                                                 CertificateOf certificate, Accepted accepted) {
  g_autoptr(GError) error = nullptr;
  g_autoptr(GSocketAddress) inet = g_inet_socket_address_new_from_string(
      address.host == "localhost" ? "127.0.0.1" : address.host.c_str(), address.port);
  g_autoptr(GSocket) socket = g_socket_new(g_socket_address_get_family(inet), G_SOCKET_TYPE_STREAM,
                                           G_SOCKET_PROTOCOL_TCP, &error);
  if (socket != nullptr) {
    g_socket_set_blocking(socket, FALSE);
    g_socket_set_listen_backlog(socket, kBacklog);
  }
  if (socket == nullptr || g_socket_bind(socket, inet, TRUE, &error) == FALSE ||
      g_socket_listen(socket, &error) == FALSE) {
    return fail(ErrorCode::kIo, "cannot listen on " + address.host + " port " +
                                    std::to_string(address.port) + ": " + error->message);
  }
  return std::unique_ptr<Acceptor>(
      new Acceptor(loop, connections, socket, std::move(certificate), std::move(accepted)));
}

Acceptor::Acceptor(MainContext& loop, Connections& connections, GSocket* socket,
                   CertificateOf certificate, Accepted accepted)
    : loop_(loop),
      connections_(connections),
      socket_(G_SOCKET(g_object_ref(socket))),
      certificate_(std::move(certificate)),
      accepted_(std::make_shared<Accepted>(std::move(accepted))) {
  watch();
}

Acceptor::~Acceptor() {
  if (source_ != nullptr) {
    g_source_destroy(source_);
    g_source_unref(source_);
  }
  g_socket_close(socket_, nullptr);
  g_object_unref(socket_);
}

std::uint16_t Acceptor::port() const {
  g_autoptr(GSocketAddress) local = g_socket_get_local_address(socket_, nullptr);
  return local == nullptr ? std::uint16_t{0}
                          : g_inet_socket_address_get_port(G_INET_SOCKET_ADDRESS(local));
}

void Acceptor::watch() {
  source_ = g_socket_create_source(socket_, G_IO_IN, nullptr);
  g_source_set_callback(source_,
                        G_SOURCE_FUNC(+[](GSocket*, GIOCondition, gpointer data) -> gboolean {
                          auto* self = static_cast<Acceptor*>(data);
                          if (self->accept_all()) return G_SOURCE_CONTINUE;
                          g_source_unref(std::exchange(self->source_, nullptr));
                          self->pause_ = self->loop_.after(kPause, [self] { self->watch(); });
                          return G_SOURCE_REMOVE;
                        }),
                        this, nullptr);
  g_source_attach(source_, loop_.raw());
}

bool Acceptor::accept_all() {
  for (int i = 0; i < kBatch; ++i) {
    g_autoptr(GError) error = nullptr;
    g_autoptr(GSocket) socket = g_socket_accept(socket_, nullptr, &error);
    if (socket != nullptr) {
      take(socket);
      continue;
    }
    if (g_error_matches(error, G_IO_ERROR, G_IO_ERROR_WOULD_BLOCK)) return true;
    log::warning("http", "a connection could not be accepted", {{"error", error->message}});
    return false;
  }
  return true;
}

void Acceptor::take(GSocket* socket) {
  GTlsCertificate* certificate = certificate_ ? certificate_() : nullptr;
  if (certificate_ && certificate == nullptr) return;
  Connection* connection = connections_.add(socket, certificate != nullptr);
  if (connection == nullptr) return;
  g_autoptr(GSocketConnection) plain = g_socket_connection_factory_create_connection(socket);
  if (certificate == nullptr) {
    (*accepted_)(G_IO_STREAM(plain), *connection);
    return;
  }
  GIOStream* tls = g_tls_server_connection_new(G_IO_STREAM(plain), certificate, nullptr);
  if (tls == nullptr) return;
  // Browsers end connections without the closing alert.
  g_tls_connection_set_require_close_notify(G_TLS_CONNECTION(tls), FALSE);
  g_tls_connection_handshake_async(G_TLS_CONNECTION(tls), G_PRIORITY_DEFAULT, nullptr, shaken,
                                   new Handshake{accepted_, G_SOCKET(g_object_ref(socket))});
}

}  // namespace sotto::server
