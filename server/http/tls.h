// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// Which certificate the HTTPS listener shows, kept fresh while the server runs.
#pragma once

#include "elements/glue/main_context.h"
#include "server/config/config.h"
#include "server/http/soup_router.h"

#include <filesystem>
#include <string>

namespace sotto::server {

/// Main context only; `loop` and `router` must outlive it.
class TlsKeeper {
 public:
  TlsKeeper(MainContext& loop, SoupRouter& router, std::filesystem::path data_dir)
      : loop_(loop), router_(router), data_dir_(std::move(data_dir)) {}

  /// Shows the certificate `config` names, or one of the local CA. From then on files that change
  /// are taken over; a pair that does not fit (an ACME client is half done) is left until it does.
  Result<> use(const HttpConfig& config);

  /// The local CA's certificate in PEM; empty when the certificate comes from elsewhere.
  const std::string& ca_pem() const { return ca_pem_; }

 private:
  Result<> show_given();
  Result<> show_local();
  void look();

  MainContext& loop_;
  SoupRouter& router_;
  std::filesystem::path data_dir_;
  HttpConfig config_;
  std::string ca_pem_;
  std::string seen_;  // What the files looked like when they were last read.
  MainContext::Timer timer_;
};

}  // namespace sotto::server
