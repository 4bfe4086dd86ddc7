// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// A listening socket that hands over connections, TLS done.
//
// libsoup 3.2.3's own listener loses a reference for each connection and stops for good at the
// first accept() that fails (no free descriptor); this one does neither.
#pragma once

#include "core/base/error.h"
#include "elements/glue/main_context.h"
#include "server/http/addresses.h"
#include "server/http/connections.h"

#include <gio/gio.h>

#include <functional>
#include <memory>

namespace sotto::server {

class Acceptor {
 public:
  using Accepted = std::function<void(GIOStream* stream, Connection& connection)>;
  /// Null: plain. Asked for each connection, so a new certificate counts from the next one on.
  using CertificateOf = std::function<GTlsCertificate*()>;

  /// Listens at once. All references must outlive the acceptor.
  static Result<std::unique_ptr<Acceptor>> open(MainContext& loop, Connections& connections,
                                                const ListenAddress& address,
                                                CertificateOf certificate, Accepted accepted);
  ~Acceptor();
  Acceptor(const Acceptor&) = delete;
  Acceptor& operator=(const Acceptor&) = delete;

  std::uint16_t port() const;

 private:
  Acceptor(MainContext& loop, Connections& connections, GSocket* socket, CertificateOf certificate,
           Accepted accepted);
  void watch();
  bool accept_all();
  void take(GSocket* socket);

  MainContext& loop_;
  Connections& connections_;
  GSocket* socket_;
  CertificateOf certificate_;
  std::shared_ptr<Accepted> accepted_;
  GSource* source_ = nullptr;
  MainContext::Timer pause_;
};

}  // namespace sotto::server
