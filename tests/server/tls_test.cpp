// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// HTTPS from the first start, and certificates that change while the server runs.
#include "server/http/local_ca.h"
#include "tests/server/routes_fixture.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace sotto::server {
namespace {

namespace fs = std::filesystem;

std::string content_of(const fs::path& file) {
  std::ifstream in(file);
  return {std::istreambuf_iterator<char>(in), {}};
}

/// The status of GET `url`, trusting only the authority in `ca`; 0 when there is no trust.
int status_trusting(const std::string& ca, const std::string& url) {
  g_autoptr(GError) error = nullptr;
  g_autoptr(GTlsDatabase) database = g_tls_file_database_new(ca.c_str(), &error);
  g_autoptr(SoupSession) session = soup_session_new();
  soup_session_set_tls_database(session, database);
  g_autoptr(SoupMessage) message = soup_message_new("GET", url.c_str());
  g_autoptr(GBytes) body = soup_session_send_and_read(session, message, nullptr, &error);
  return body == nullptr ? 0 : static_cast<int>(soup_message_get_status(message));
}

/// The certificate the server shows, in PEM.
std::string shown_by(const std::string& url) {
  g_autoptr(SoupSession) session = soup_session_new();
  g_autoptr(SoupMessage) message = soup_message_new("GET", url.c_str());
  g_signal_connect(message, "accept-certificate",
                   G_CALLBACK(+[](SoupMessage*, GTlsCertificate*, GTlsCertificateFlags,
                                  gpointer) -> gboolean { return TRUE; }),
                   nullptr);
  g_autoptr(GBytes) body = soup_session_send_and_read(session, message, nullptr, nullptr);
  GTlsCertificate* certificate = soup_message_get_tls_peer_certificate(message);
  if (certificate == nullptr) return {};
  g_autofree char* pem = nullptr;
  g_object_get(certificate, "certificate-pem", &pem, nullptr);
  return pem;
}

class TlsTest : public test::ServerFixture {
 protected:
  TlsTest() {
    config.http.https_listen = "127.0.0.1:0";
    config.log_level = "error";
  }
  ~TlsTest() override { stop(); }
};

TEST_F(TlsTest, TheLocalAuthorityIsServedAndSufficient) {
  start();
  const test::HttpAnswer ca = http.get(url("/v1/ca.pem"));
  ASSERT_EQ(ca.status, 200);
  EXPECT_EQ(ca.body.find("PRIVATE"), std::string::npos);
  const fs::path file = data_dir() / "downloaded.pem";
  std::ofstream(file) << ca.body;
  EXPECT_EQ(status_trusting(file.string(), address("https") + "/healthz"), 200);
  std::string by_address = address("https") + "/healthz";
  by_address.replace(by_address.find("localhost"), 9, "127.0.0.1");
  EXPECT_EQ(status_trusting(file.string(), by_address), 200);

  test::TempDir other;
  ASSERT_TRUE(local_ca(other.path()).has_value());
  EXPECT_EQ(status_trusting((other.path() / "ca.pem").string(), address("https") + "/healthz"), 0)
      << "another machine's authority";
}

TEST_F(TlsTest, AuthorityAndCertificateSurviveARestart) {
  start();
  const std::string ca = content_of(data_dir() / "ca.pem");
  const std::string certificate = content_of(data_dir() / "server.pem");
  stop();
  start();
  EXPECT_EQ(content_of(data_dir() / "ca.pem"), ca);
  EXPECT_EQ(content_of(data_dir() / "server.pem"), certificate);
  for (const char* key : {"ca-key.pem", "server-key.pem"}) {
    EXPECT_EQ(fs::status(data_dir() / key).permissions(),
              fs::perms::owner_read | fs::perms::owner_write);
  }
}

TEST_F(TlsTest, GivenFilesAreTakenOverWhenTheyChange) {
  test::TempDir first;
  test::TempDir second;
  ASSERT_TRUE(local_certificate(first.path(), {"localhost"}).has_value());
  ASSERT_TRUE(local_certificate(second.path(), {"localhost"}).has_value());
  const fs::path certificate = data_dir() / "given.pem";
  const fs::path key = data_dir() / "given-key.pem";
  const auto give = [](const fs::path& from, const fs::path& to) {
    fs::copy_file(from, to, fs::copy_options::overwrite_existing);
  };
  give(first.path() / "server.pem", certificate);
  give(first.path() / "server-key.pem", key);
  config.http.certificate = certificate.string();
  config.http.key = key.string();
  start();
  const std::string at = address("https") + "/healthz";
  const std::string before = shown_by(at);
  EXPECT_EQ(before, content_of(first.path() / "server.pem"));
  EXPECT_EQ(http.get(url("/v1/ca.pem")).status, 404) << "it is not ours";

  // An ACME client writes one after the other; in between the old pair stays.
  give(second.path() / "server.pem", certificate);
  EXPECT_EQ(shown_by(at), before);
  give(second.path() / "server-key.pem", key);
  const std::string wanted = content_of(second.path() / "server.pem");
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  std::string now;
  while ((now = shown_by(at)) != wanted && std::chrono::steady_clock::now() < deadline) {
  }
  EXPECT_EQ(now, wanted);
}

TEST_F(TlsTest, PlainHttpIsForLoopbackOnly) {
  config.http.http_listen = "0.0.0.0:0";
  MainContext loop;
  const auto refused = Server::start(loop, config, {});
  ASSERT_FALSE(refused.has_value());
  EXPECT_NE(refused.error().message.find("in the clear"), std::string::npos);
}

TEST_F(TlsTest, PlainTextToTheTlsPortHarmsNobody) {
  start();
  {
    test::RawClient client(address("https"));
    client.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    client.read_to_end();
    EXPECT_TRUE(client.closed());
  }
  EXPECT_NE(shown_by(address("https") + "/healthz"), "");
}

TEST(LocalCertificate, IsMadeAnewForANewName) {
  test::TempDir dir;
  const auto first = local_certificate(dir.path(), {"localhost", "127.0.0.1"});
  const auto same = local_certificate(dir.path(), {"127.0.0.1"});
  const auto more = local_certificate(dir.path(), {"localhost", "cam.example.org", "2001:db8::1"});
  ASSERT_TRUE(first && same && more);
  EXPECT_EQ(first->chain, same->chain);
  EXPECT_NE(first->chain, more->chain);
  for (const char* odd : {"a,DNS:evil.example", "", "a b", "x\ny"}) {
    EXPECT_FALSE(local_certificate(dir.path(), {odd}).has_value()) << odd;
  }
}

TEST(LocalCertificate, AKeyThatDoesNotFitIsRefused) {
  test::TempDir a;
  test::TempDir b;
  ASSERT_TRUE(local_certificate(a.path(), {"localhost"}).has_value());
  ASSERT_TRUE(local_certificate(b.path(), {"localhost"}).has_value());
  EXPECT_TRUE(load_certificate(a.path() / "server.pem", a.path() / "server-key.pem").has_value());
  EXPECT_FALSE(load_certificate(a.path() / "server.pem", b.path() / "server-key.pem").has_value());
  EXPECT_FALSE(load_certificate(a.path() / "server-key.pem", a.path() / "server.pem").has_value());
  fs::copy_file(b.path() / "ca-key.pem", a.path() / "ca-key.pem",
                fs::copy_options::overwrite_existing);
  EXPECT_FALSE(local_ca(a.path()).has_value()) << "a mixed-up authority is not used in silence";
}

TEST(MachineNames, HoldWhatALocalBrowserTypes) {
  const auto names = machine_names();
  for (const char* name : {"localhost", "127.0.0.1", "::1"}) {
    EXPECT_NE(std::find(names.begin(), names.end(), name), names.end()) << name;
  }
}

}  // namespace
}  // namespace sotto::server
