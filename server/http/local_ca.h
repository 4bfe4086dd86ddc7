// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// A certificate authority of this machine's own, so that HTTPS is on from the first start.
#pragma once

#include "core/base/error.h"

#include <filesystem>
#include <string>
#include <vector>

namespace sotto::server {

/// PEM: the certificate, its issuers, and the private key. The key must not leave the process.
struct ServerCertificate {
  std::string chain;
  std::string key;
};

/// The CA's certificate (PEM), made with its key (0600) in `directory` when it is not there yet.
Result<std::string> local_ca(const std::filesystem::path& directory);

/// The server's certificate for `names` (host names and addresses), from `directory`; made anew
/// when it is missing, lacks a name, is not of this CA or ends within a month.
Result<ServerCertificate> local_certificate(const std::filesystem::path& directory,
                                            const std::vector<std::string>& names);

/// localhost, this machine's name and the addresses of its interfaces, without duplicates.
std::vector<std::string> machine_names();

/// Two PEM files of an operator or an ACME client; refused unless the key fits the certificate.
Result<ServerCertificate> load_certificate(const std::filesystem::path& certificate,
                                           const std::filesystem::path& key);

}  // namespace sotto::server
