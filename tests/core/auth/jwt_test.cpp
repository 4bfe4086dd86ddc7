// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/auth/jwt.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>

namespace sotto {
namespace {

constexpr std::chrono::seconds kNow{1'800'000'000};

class JwtTest : public ::testing::Test {
 protected:
  SigningKey key = SigningKey::generate().value();
  TokenClaims claims{.subject = "anna",
                     .scopes = {"stream:door:view", "admin"},
                     .audience = "sotto",
                     .id = "j-1",
                     .expires = kNow + std::chrono::seconds(60)};

  std::string token() { return sign_token(claims, key).value(); }
  Result<TokenClaims> check(std::string_view text, std::chrono::seconds now = kNow) {
    return verify_token(text, key, "sotto", now);
  }
  /// A token with this header and body, rightly signed.
  std::string made_of(const std::string& header, const std::string& body) {
    const std::string signed_part =
        to_base64url(as_bytes(header)) + '.' + to_base64url(as_bytes(body));
    return signed_part + '.' + to_base64url(key.sign(as_bytes(signed_part)).value());
  }
};

TEST_F(JwtTest, SaysWhatWasSigned) {
  const auto got = check(token());
  ASSERT_TRUE(got.has_value()) << got.error().message;
  EXPECT_EQ(got->subject, "anna");
  EXPECT_EQ(got->scopes, claims.scopes);
  EXPECT_EQ(got->id, "j-1");
  EXPECT_EQ(got->expires, claims.expires);
}

TEST_F(JwtTest, SignatureIsRawAnd64Bytes) {
  const std::string text = token();
  EXPECT_EQ(from_base64url(text.substr(text.rfind('.') + 1))->size(), 64U);
}

TEST_F(JwtTest, EndsWithTheSecondItExpires) {
  EXPECT_TRUE(check(token(), kNow + std::chrono::seconds(59)).has_value());
  EXPECT_FALSE(check(token(), kNow + std::chrono::seconds(60)).has_value());
}

TEST_F(JwtTest, IsForOneAudience) {
  EXPECT_FALSE(verify_token(token(), key, "other", kNow).has_value());
}

TEST_F(JwtTest, AnotherKeyIsNoKey) {
  EXPECT_FALSE(verify_token(token(), SigningKey::generate().value(), "sotto", kNow).has_value());
}

TEST_F(JwtTest, AnyChangedCharacterIsNoticed) {
  const std::string good = token();
  for (std::size_t i = 0; i < good.size(); ++i) {
    std::string bad = good;
    bad[i] = bad[i] == 'A' ? 'B' : 'A';
    EXPECT_FALSE(check(bad).has_value()) << "at " << i;
  }
  for (std::size_t n = 0; n < good.size(); ++n) {
    EXPECT_FALSE(check(std::string_view(good).substr(0, n)).has_value()) << "cut at " << n;
  }
}

TEST_F(JwtTest, AlgorithmIsOursToChoose) {
  const std::string good = token();
  const std::string body = good.substr(good.find('.') + 1, good.rfind('.') - good.find('.') - 1);
  const auto unsigned_token = [&](const char* header) {
    return to_base64url(as_bytes(header)) + '.' + body + '.';
  };
  EXPECT_FALSE(check(unsigned_token(R"({"alg":"none"})")).has_value());
  EXPECT_FALSE(check(unsigned_token(R"({"alg":"NONE"})")).has_value());

  // The public key as an HMAC secret: the classic confusion.
  BIO* bio = BIO_new(BIO_s_mem());
  PEM_write_bio_PUBKEY(bio, key.get());
  char* pem = nullptr;
  const long size = BIO_get_mem_data(bio, &pem);
  const std::string signed_part = to_base64url(as_bytes(R"({"alg":"HS256"})")) + '.' + body;
  Bytes mac(32);
  HMAC(EVP_sha256(), pem, static_cast<int>(size),
       reinterpret_cast<const unsigned char*>(signed_part.data()), signed_part.size(), mac.data(),
       nullptr);
  BIO_free(bio);
  EXPECT_FALSE(check(signed_part + '.' + to_base64url(mac)).has_value());

  const nlohmann::json claims_json = nlohmann::json::parse(as_text(*from_base64url(body)));
  EXPECT_FALSE(check(made_of(R"({"alg":"HS256"})", claims_json.dump())).has_value());
  EXPECT_FALSE(check(made_of(R"({"alg":"ES256","crit":["x"]})", claims_json.dump())).has_value());
  EXPECT_TRUE(check(made_of(R"({"alg":"ES256"})", claims_json.dump())).has_value());
}

TEST_F(JwtTest, MissingAndWrongClaimsAreRefused) {
  const nlohmann::json good = {
      {"sub", "a"}, {"scope", {"x"}}, {"aud", "sotto"}, {"jti", "1"}, {"exp", kNow.count() + 10}};
  const char* header = R"({"alg":"ES256"})";
  ASSERT_TRUE(check(made_of(header, good.dump())).has_value());
  for (const char* claim : {"sub", "scope", "aud", "jti", "exp"}) {
    nlohmann::json without = good;
    without.erase(claim);
    EXPECT_FALSE(check(made_of(header, without.dump())).has_value()) << "without " << claim;
    nlohmann::json wrong = good;
    wrong[claim] = nlohmann::json::object();
    EXPECT_FALSE(check(made_of(header, wrong.dump())).has_value()) << "odd " << claim;
  }
  nlohmann::json fraction = good;
  fraction["exp"] = 9e99;
  EXPECT_FALSE(check(made_of(header, fraction.dump())).has_value());
}

TEST_F(JwtTest, DerSignaturesAreRefused) {
  const std::string good = token();
  const auto raw = from_base64url(good.substr(good.rfind('.') + 1)).value();
  Bytes der{0x30, 0x44, 0x02, 0x20};
  der.insert(der.end(), raw.begin(), raw.begin() + 32);
  der.insert(der.end(), {0x02, 0x20});
  der.insert(der.end(), raw.begin() + 32, raw.end());
  EXPECT_FALSE(check(good.substr(0, good.rfind('.') + 1) + to_base64url(der)).has_value());
  EXPECT_FALSE(key.verify(as_bytes("x"), Bytes(64, 0)));
}

TEST(SigningKey, ComesBackFromItsPem) {
  const auto key = SigningKey::generate().value();
  const auto again = SigningKey::from_pem(key.to_pem().value());
  ASSERT_TRUE(again.has_value());
  EXPECT_TRUE(again->verify(as_bytes("hello"), key.sign(as_bytes("hello")).value()));
  EXPECT_FALSE(again->verify(as_bytes("hellp"), key.sign(as_bytes("hello")).value()));
}

TEST(SigningKey, TakesNoOtherCurve) {
  EVP_PKEY* other = EVP_EC_gen("P-384");
  BIO* bio = BIO_new(BIO_s_mem());
  PEM_write_bio_PKCS8PrivateKey(bio, other, nullptr, nullptr, 0, nullptr, nullptr);
  char* pem = nullptr;
  const long size = BIO_get_mem_data(bio, &pem);
  const auto key = SigningKey::from_pem({pem, static_cast<std::size_t>(size)});
  ASSERT_FALSE(key.has_value());
  EXPECT_EQ(key.error().code, ErrorCode::kUnsupported);
  EXPECT_FALSE(SigningKey::from_pem("-----BEGIN PRIVATE KEY-----\nAAAA\n").has_value());
  BIO_free(bio);
  EVP_PKEY_free(other);
}

}  // namespace
}  // namespace sotto
