// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/base/bytes.h"
#include "tests/server/janus/support.h"

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <array>

namespace sotto::server::janus::testing {
namespace {

constexpr const char* kSecret = "token secret";
constexpr std::int64_t kNow = 1'700'000'000;

std::string sign(const std::string& text, const std::string& secret = kSecret) {
  std::array<std::uint8_t, EVP_MAX_MD_SIZE> digest{};
  unsigned length = 0;
  HMAC(EVP_sha1(), secret.data(), static_cast<int>(secret.size()), as_bytes(text).data(),
       text.size(), digest.data(), &length);
  return text + ":" + to_base64(ByteView(digest).first(length));
}

class GatekeeperTest : public ::testing::Test {
 protected:
  GatekeeperTest() { world.config.janus.open = false; }
  bool admits(const std::string& secret, const std::string& token) {
    return gatekeeper.admit(secret, token, {}).has_value();
  }
  World world;
  Gatekeeper gatekeeper{world.config, world.auth, [] { return kNow; }};
};

TEST_F(GatekeeperTest, NothingConfiguredMeansTokensOnly) {
  EXPECT_FALSE(admits("", ""));
  EXPECT_FALSE(admits("guess", ""));
  EXPECT_FALSE(admits("", "bad-token"));
  EXPECT_TRUE(admits("", "good-token"));
}

TEST_F(GatekeeperTest, SecretOrToken) {
  world.config.janus.api_secret = "hush";
  EXPECT_TRUE(admits("hush", ""));
  EXPECT_TRUE(admits("wrong", "good-token"));
  EXPECT_TRUE(admits("hush", "bad-token"));
  EXPECT_FALSE(admits("hus", ""));
  EXPECT_FALSE(admits("hushh", ""));
  EXPECT_FALSE(admits("", ""));
}

TEST_F(GatekeeperTest, WhomTheTransportKnowsPasses) {
  EXPECT_TRUE(gatekeeper.admit("", "", {"somebody", {}}).has_value());
  EXPECT_FALSE(gatekeeper.admit("", "", {}).has_value());
}

TEST_F(GatekeeperTest, SignedTokens) {
  const std::string good = sign(std::to_string(kNow + 60) + ",janus,janus.plugin.echotest");
  EXPECT_FALSE(admits("", good)) << "no secret is configured";
  world.config.janus.token_auth_secret = kSecret;
  const auto grant = gatekeeper.admit("", good, {});
  ASSERT_TRUE(grant.has_value());
  EXPECT_TRUE(grant->may_attach("janus.plugin.echotest"));
  EXPECT_FALSE(grant->may_attach("janus.plugin.streaming"));

  EXPECT_FALSE(admits("", sign(std::to_string(kNow) + ",janus"))) << "expired";
  EXPECT_FALSE(admits("", sign(std::to_string(kNow + 60) + ",other"))) << "another realm";
  EXPECT_FALSE(admits("", sign(std::to_string(kNow + 60) + ",janus", "other secret")));
  EXPECT_FALSE(admits("", sign(std::to_string(kNow + 60))));
  EXPECT_FALSE(admits("", sign("soon,janus")));
  EXPECT_FALSE(admits("", sign(",janus")));
  EXPECT_FALSE(admits("", std::to_string(kNow + 60) + ",janus:"));
  EXPECT_FALSE(admits("", ":"));
  for (std::size_t i = 0; i < good.size(); ++i) {
    std::string tampered = good;
    tampered[i] = tampered[i] == 'x' ? 'y' : 'x';
    EXPECT_FALSE(admits("", tampered)) << i;
  }
}

TEST_F(GatekeeperTest, RealmsOfPlugins) {
  world.config.janus.token_auth_secret = kSecret;
  const std::string token = sign(std::to_string(kNow + 60) + ",janus.plugin.videoroom,room=1234");
  EXPECT_TRUE(gatekeeper.signed_for(token, "janus.plugin.videoroom", "room=1234"));
  EXPECT_TRUE(gatekeeper.signed_for(token, "janus.plugin.videoroom", ""));
  EXPECT_FALSE(gatekeeper.signed_for(token, "janus.plugin.videoroom", "room=1"));
  EXPECT_FALSE(admits("", token));
}

TEST_F(GatekeeperTest, ASignedTokenBindsAttach) {
  world.config.janus.token_auth_secret = kSecret;
  Gateway gateway(world.context, world.factory());
  const auto client = std::make_shared<Client>();
  const std::string token = sign("99999999999,janus,janus.plugin.other");
  const Json made = client->send(gateway, {{"janus", "create"}, {"token", token}});
  ASSERT_EQ(made["janus"], "success");
  Json attach{{"janus", "attach"},
              {"session_id", made["data"]["id"]},
              {"plugin", "janus.plugin.echotest"},
              {"token", token}};
  EXPECT_EQ(code_of(client->send(gateway, attach)), 405);
  attach.erase("token");
  EXPECT_EQ(code_of(client->send(gateway, attach)), 403);
}

}  // namespace
}  // namespace sotto::server::janus::testing
