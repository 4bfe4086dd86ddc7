// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "server/http/tls.h"

#include "server/base/log.h"
#include "server/http/local_ca.h"

#include <sodium.h>
#include <sys/stat.h>

#include <algorithm>

namespace sotto::server {
namespace {

/// A look costs two stat() calls. Watching with inotify would miss what ACME clients do: they move
/// a symbolic link several folders away.
constexpr std::chrono::milliseconds kLookEvery{1000};
/// The local certificate is looked at this often, for it ends one day.
constexpr int kLooksPerRenewal = 12 * 3600;

std::string look_of(const std::string& file) {
  struct stat info {};
  if (::stat(file.c_str(), &info) != 0) return "missing;";
  return std::to_string(info.st_ino) + ',' + std::to_string(info.st_size) + ',' +
         std::to_string(info.st_mtim.tv_sec) + '.' + std::to_string(info.st_mtim.tv_nsec) + ';';
}

Result<> show(SoupRouter& router, ServerCertificate certificate) {
  std::string pem = certificate.chain + '\n' + certificate.key;
  g_autoptr(GError) error = nullptr;
  g_autoptr(GTlsCertificate) made =
      g_tls_certificate_new_from_pem(pem.data(), static_cast<gssize>(pem.size()), &error);
  sodium_memzero(pem.data(), pem.size());
  sodium_memzero(certificate.key.data(), certificate.key.size());
  if (made == nullptr) {
    return fail(ErrorCode::kCrypto, std::string("the certificate cannot be used: ") +
                                        error->message +
                                        " (is the package glib-networking installed?)");
  }
  router.set_certificate(made);
  return {};
}

}  // namespace

Result<> TlsKeeper::use(const HttpConfig& config) {
  config_ = config;
  seen_.clear();
  const auto shown = config_.certificate.empty() ? show_local() : show_given();
  if (!shown) return shown;
  timer_ = loop_.every(kLookEvery, [this, looks = 0]() mutable {
    if (!config_.certificate.empty()) {
      look();
    } else if (++looks % kLooksPerRenewal == 0) {
      if (const auto renewed = show_local(); !renewed) {
        log::error("http", "the certificate was not renewed", {{"error", renewed.error().message}});
      }
    }
  });
  return {};
}

Result<> TlsKeeper::show_given() {
  ca_pem_.clear();
  seen_ = look_of(config_.certificate) + look_of(config_.key);
  auto certificate = load_certificate(config_.certificate, config_.key);
  if (!certificate) return tl::unexpected(certificate.error());
  return show(router_, *std::move(certificate));
}

Result<> TlsKeeper::show_local() {
  auto names = machine_names();
  for (const auto& name : config_.names) {
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  }
  auto certificate = local_certificate(data_dir_, names);
  if (!certificate) return tl::unexpected(certificate.error());
  auto ca = local_ca(data_dir_);
  if (!ca) return tl::unexpected(ca.error());
  ca_pem_ = *std::move(ca);
  return show(router_, *std::move(certificate));
}

void TlsKeeper::look() {
  if (look_of(config_.certificate) + look_of(config_.key) == seen_) return;
  if (const auto shown = show_given(); shown) {
    log::info("http", "the new certificate is in use", {{"file", config_.certificate}});
  } else {
    log::warning("http", "the changed certificate is not usable, the old one stays",
                 {{"error", shown.error().message}});
  }
}

}  // namespace sotto::server
