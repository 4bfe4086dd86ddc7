// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "server/http/local_ca.h"

#include "core/auth/es256.h"
#include "core/base/random.h"
#include "server/base/files.h"
#include "server/base/log.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <sodium.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <memory>
#include <set>

namespace sotto::server {
namespace {

constexpr std::size_t kMaxPem = 256U << 10U;
constexpr long kDay = 24L * 3600;
/// A CA is installed by hand on each device, so it lives long.
constexpr long kCaLife = 3650 * kDay;
/// Browsers accept no more than 398 days from public CAs; ours stays within their habits.
constexpr long kServerLife = 397 * kDay;
constexpr long kRenewBefore = 30 * kDay;
/// Clocks of cameras and Raspberry Pis are often a little behind.
constexpr long kBackdate = kDay;

template <auto Function>
struct FreeBy {
  template <class T>
  void operator()(T* p) const {
    Function(p);
  }
};
using Bio = std::unique_ptr<BIO, FreeBy<BIO_free_all>>;
using Certificate = std::unique_ptr<X509, FreeBy<X509_free>>;
using Extension = std::unique_ptr<X509_EXTENSION, FreeBy<X509_EXTENSION_free>>;
using Names = std::unique_ptr<GENERAL_NAMES, FreeBy<GENERAL_NAMES_free>>;

tl::unexpected<Error> crypto(const char* what) { return fail(ErrorCode::kCrypto, what); }

bool is_address(const std::string& name) {
  std::array<unsigned char, 16> bytes{};
  return inet_pton(AF_INET, name.c_str(), bytes.data()) == 1 ||
         inet_pton(AF_INET6, name.c_str(), bytes.data()) == 1;
}

Certificate read_certificate(std::string_view pem) {
  const Bio bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  return Certificate(bio ? PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr) : nullptr);
}

std::string to_pem(X509* certificate) {
  const Bio bio(BIO_new(BIO_s_mem()));
  if (!bio || PEM_write_bio_X509(bio.get(), certificate) != 1) return {};
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return std::string(data, static_cast<std::size_t>(size));
}

bool add_extension(X509* certificate, X509* issuer, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  const Extension extension(X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str()));
  return extension && X509_add_ext(certificate, extension.get(), -1) == 1;
}

/// Version, serial, times, subject and key: what both kinds of certificate share.
Certificate begin_certificate(EVP_PKEY* key, const std::string& common_name, long life) {
  Certificate certificate(X509_new());
  const Bytes serial = random_bytes(16);
  BIGNUM* number = BN_bin2bn(serial.data(), static_cast<int>(serial.size()), nullptr);
  if (number != nullptr) BN_clear_bit(number, 127);  // RFC 5280: positive.
  X509_NAME* subject = certificate ? X509_get_subject_name(certificate.get()) : nullptr;
  const bool good =
      subject != nullptr && number != nullptr && X509_set_version(certificate.get(), 2) == 1 &&
      BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate.get())) != nullptr &&
      X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -kBackdate) != nullptr &&
      X509_gmtime_adj(X509_getm_notAfter(certificate.get()), life) != nullptr &&
      X509_NAME_add_entry_by_txt(subject, "O", MBSTRING_UTF8,
                                 reinterpret_cast<const unsigned char*>("sotto"), -1, -1, 0) == 1 &&
      X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8,
                                 reinterpret_cast<const unsigned char*>(common_name.c_str()), -1,
                                 -1, 0) == 1 &&
      X509_set_pubkey(certificate.get(), key) == 1;
  BN_free(number);
  return good ? std::move(certificate) : nullptr;
}

std::string host_name() {
  std::array<char, 256> name{};
  if (gethostname(name.data(), name.size() - 1) != 0) return {};
  return name.data();
}

Result<SigningKey> read_key(const std::filesystem::path& file) {
  auto pem = read_private_file(file, kMaxPem);
  if (!pem) return tl::unexpected(pem.error());
  auto key = SigningKey::from_pem(*pem);
  sodium_memzero(pem->data(), pem->size());
  return key;
}

Result<> write_key(const SigningKey& key, const std::filesystem::path& file) {
  auto pem = key.to_pem();
  if (!pem) return tl::unexpected(pem.error());
  const auto written = write_private_file(file, *pem);
  sodium_memzero(pem->data(), pem->size());
  return written;
}

/// Both on disk and belonging together.
struct Authority {
  SigningKey key;
  Certificate certificate;
  std::string pem;
};

Result<Authority> make_authority(const std::filesystem::path& directory) {
  auto key = SigningKey::generate();
  if (!key) return tl::unexpected(key.error());
  // The random part keeps two machines' authorities apart in a browser's list.
  Certificate certificate = begin_certificate(
      key->get(), "sotto on " + host_name().substr(0, 32) + " (" + to_hex(random_bytes(3)) + ')',
      kCaLife);
  if (!certificate ||
      X509_set_issuer_name(certificate.get(), X509_get_subject_name(certificate.get())) != 1 ||
      !add_extension(certificate.get(), certificate.get(), NID_basic_constraints,
                     "critical,CA:TRUE,pathlen:0") ||
      !add_extension(certificate.get(), certificate.get(), NID_key_usage,
                     "critical,keyCertSign,cRLSign") ||
      !add_extension(certificate.get(), certificate.get(), NID_subject_key_identifier, "hash") ||
      X509_sign(certificate.get(), key->get(), EVP_sha256()) == 0) {
    return crypto("cannot make the certificate authority");
  }
  std::string pem = to_pem(certificate.get());
  // The key first: a certificate without a key would be found and not be usable.
  if (const auto written = write_key(*key, directory / "ca-key.pem"); !written) {
    return tl::unexpected(written.error());
  }
  if (const auto written = write_private_file(directory / "ca.pem", pem); !written) {
    return tl::unexpected(written.error());
  }
  return Authority{*std::move(key), std::move(certificate), std::move(pem)};
}

Result<Authority> open_authority(const std::filesystem::path& directory) {
  auto pem = read_small_file(directory / "ca.pem", kMaxPem);
  if (!pem && pem.error().code == ErrorCode::kNotFound) return make_authority(directory);
  if (!pem) return tl::unexpected(pem.error());
  Certificate certificate = read_certificate(*pem);
  auto key = read_key(directory / "ca-key.pem");
  if (!key) return tl::unexpected(key.error());
  if (!certificate || X509_check_private_key(certificate.get(), key->get()) != 1) {
    return fail(ErrorCode::kInvalid, (directory / "ca.pem").string() +
                                         " does not fit ca-key.pem; remove both for new ones");
  }
  return Authority{*std::move(key), std::move(certificate), *std::move(pem)};
}

bool covers(X509* certificate, const std::vector<std::string>& names) {
  return std::all_of(names.begin(), names.end(), [certificate](const std::string& name) {
    return is_address(name)
               ? X509_check_ip_asc(certificate, name.c_str(), 0) == 1
               : X509_check_host(certificate, name.c_str(), name.size(), 0, nullptr) == 1;
  });
}

bool usable(X509* certificate, const Authority& authority, const std::vector<std::string>& names) {
  const ASN1_TIME* end = X509_get0_notAfter(certificate);
  int days = 0;
  int seconds = 0;
  return ASN1_TIME_diff(&days, &seconds, nullptr, end) == 1 &&
         days * kDay + seconds > kRenewBefore &&
         X509_verify(certificate, authority.key.get()) == 1 && covers(certificate, names);
}

bool clean_name(const std::string& name) {
  return !name.empty() && name.size() <= 253 && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_' || c == ':' || c == '*';
  });
}

}  // namespace

Result<std::string> local_ca(const std::filesystem::path& directory) {
  const auto authority = open_authority(directory);
  if (!authority) return tl::unexpected(authority.error());
  return authority->pem;
}

Result<ServerCertificate> local_certificate(const std::filesystem::path& directory,
                                            const std::vector<std::string>& names) {
  const auto authority = open_authority(directory);
  if (!authority) return tl::unexpected(authority.error());
  const auto certificate_file = directory / "server.pem";
  const auto key_file = directory / "server-key.pem";

  if (const auto pem = read_small_file(certificate_file, kMaxPem)) {
    const Certificate old = read_certificate(*pem);
    const auto key = read_key(key_file);
    if (old && key && X509_check_private_key(old.get(), key->get()) == 1 &&
        usable(old.get(), *authority, names)) {
      auto key_pem = key->to_pem();
      if (!key_pem) return tl::unexpected(key_pem.error());
      return ServerCertificate{*pem + authority->pem, *std::move(key_pem)};
    }
  }

  auto key = SigningKey::generate();
  if (!key) return tl::unexpected(key.error());
  std::string alternatives;
  for (const auto& name : names) {
    if (!clean_name(name)) {
      return fail(ErrorCode::kInvalid, "\"" + name + "\" is no host name and no address");
    }
    alternatives += (alternatives.empty() ? "" : ",");
    alternatives += (is_address(name) ? "IP:" : "DNS:") + name;
  }
  Certificate made = begin_certificate(key->get(), "sotto-server", kServerLife);
  X509* issuer = authority->certificate.get();
  if (!made || X509_set_issuer_name(made.get(), X509_get_subject_name(issuer)) != 1 ||
      !add_extension(made.get(), issuer, NID_basic_constraints, "critical,CA:FALSE") ||
      !add_extension(made.get(), issuer, NID_key_usage, "critical,digitalSignature") ||
      !add_extension(made.get(), issuer, NID_ext_key_usage, "serverAuth") ||
      !add_extension(made.get(), issuer, NID_authority_key_identifier, "keyid:always") ||
      !add_extension(made.get(), issuer, NID_subject_alt_name, alternatives) ||
      X509_sign(made.get(), authority->key.get(), EVP_sha256()) == 0) {
    return crypto("cannot make the server's certificate");
  }
  const std::string pem = to_pem(made.get());
  if (const auto written = write_key(*key, key_file); !written) {
    return tl::unexpected(written.error());
  }
  if (const auto written = write_private_file(certificate_file, pem); !written) {
    return tl::unexpected(written.error());
  }
  log::info("http", "a certificate was made", {{"names", alternatives}});
  auto key_pem = key->to_pem();
  if (!key_pem) return tl::unexpected(key_pem.error());
  return ServerCertificate{pem + authority->pem, *std::move(key_pem)};
}

std::vector<std::string> machine_names() {
  std::set<std::string> names{"localhost", "127.0.0.1", "::1"};
  if (const std::string host = host_name(); clean_name(host)) {
    names.insert(host);
    // What multicast DNS calls it: phones in the same network find it by that.
    if (host.find('.') == std::string::npos) names.insert(host + ".local");
  }
  ifaddrs* list = nullptr;
  if (getifaddrs(&list) == 0) {
    for (const ifaddrs* each = list; each != nullptr; each = each->ifa_next) {
      if (each->ifa_addr == nullptr || (each->ifa_flags & IFF_UP) == 0) continue;
      std::array<char, INET6_ADDRSTRLEN> text{};
      if (each->ifa_addr->sa_family == AF_INET) {
        const auto* in = reinterpret_cast<const sockaddr_in*>(each->ifa_addr);
        inet_ntop(AF_INET, &in->sin_addr, text.data(), text.size());
      } else if (each->ifa_addr->sa_family == AF_INET6) {
        const auto* in = reinterpret_cast<const sockaddr_in6*>(each->ifa_addr);
        // Link-local addresses need a zone, which no certificate and no URL of a browser has.
        if (IN6_IS_ADDR_LINKLOCAL(&in->sin6_addr)) continue;
        inet_ntop(AF_INET6, &in->sin6_addr, text.data(), text.size());
      }
      if (text[0] != '\0') names.insert(text.data());
    }
    freeifaddrs(list);
  }
  return {names.begin(), names.end()};
}

Result<ServerCertificate> load_certificate(const std::filesystem::path& certificate_file,
                                           const std::filesystem::path& key_file) {
  auto chain = read_small_file(certificate_file, kMaxPem);
  if (!chain) return tl::unexpected(chain.error());
  auto key_pem = read_small_file(key_file, kMaxPem);
  if (!key_pem) return tl::unexpected(key_pem.error());
  const Certificate certificate = read_certificate(*chain);
  if (!certificate) {
    return fail(ErrorCode::kParse, certificate_file.string() + " holds no certificate in PEM");
  }
  const Bio bio(BIO_new_mem_buf(key_pem->data(), static_cast<int>(key_pem->size())));
  const auto no_password = [](char*, int, int, void*) { return -1; };
  const std::unique_ptr<EVP_PKEY, FreeBy<EVP_PKEY_free>> key(
      bio ? PEM_read_bio_PrivateKey(bio.get(), nullptr, no_password, nullptr) : nullptr);
  if (!key) {
    return fail(ErrorCode::kParse, key_file.string() + " holds no unencrypted private key in PEM");
  }
  if (X509_check_private_key(certificate.get(), key.get()) != 1) {
    return fail(ErrorCode::kInvalid,
                key_file.string() + " is not the key of " + certificate_file.string());
  }
  return ServerCertificate{*std::move(chain), *std::move(key_pem)};
}

}  // namespace sotto::server
