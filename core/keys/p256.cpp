// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/keys/p256.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/params.h>

namespace sotto::keys {
namespace {

constexpr std::size_t kScalarSize = 32;
constexpr std::size_t kPointSize = 65;
constexpr std::uint8_t kUncompressed = 4;

struct Free {
  void operator()(EVP_PKEY_CTX* context) const { EVP_PKEY_CTX_free(context); }
  void operator()(BIGNUM* number) const { BN_clear_free(number); }
  void operator()(EC_GROUP* group) const { EC_GROUP_free(group); }
  void operator()(EC_POINT* point) const { EC_POINT_free(point); }
};
template <class T>
using Own = std::unique_ptr<T, Free>;

char group_name[] = "prime256v1";

Result<Pkey> from_params(int selection, OSSL_PARAM* params) {
  const Own<EVP_PKEY_CTX> context(EVP_PKEY_CTX_new_from_name(nullptr, "EC", nullptr));
  EVP_PKEY* key = nullptr;
  if (!context || EVP_PKEY_fromdata_init(context.get()) != 1 ||
      EVP_PKEY_fromdata(context.get(), &key, selection, params) != 1) {
    return fail(ErrorCode::kCrypto, "not a P-256 key");
  }
  return Pkey(key);
}

}  // namespace

void FreePkey::operator()(evp_pkey_st* key) const { EVP_PKEY_free(key); }

Result<Pkey> p256_public(ByteView point) {
  if (point.size() != kPointSize || point[0] != kUncompressed) {
    return fail(ErrorCode::kParse, "a P-256 point has 65 bytes and begins with 4");
  }
  OSSL_PARAM params[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group_name, 0),
      OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY,
                                        const_cast<std::uint8_t*>(point.data()), point.size()),
      OSSL_PARAM_construct_end()};
  auto key = from_params(EVP_PKEY_PUBLIC_KEY, params);
  if (!key) return key;
  const Own<EVP_PKEY_CTX> check(EVP_PKEY_CTX_new_from_pkey(nullptr, key->get(), nullptr));
  if (!check || EVP_PKEY_public_check(check.get()) != 1) {
    return fail(ErrorCode::kCrypto, "the point is not on the curve");
  }
  return key;
}

Result<Pkey> p256_private(ByteView scalar) {
  if (scalar.size() != kScalarSize) return fail(ErrorCode::kParse, "a P-256 key has 32 bytes");
  const Own<EC_GROUP> group(EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1));
  const Own<BIGNUM> number(BN_bin2bn(scalar.data(), static_cast<int>(scalar.size()), nullptr));
  const Own<EC_POINT> point(group ? EC_POINT_new(group.get()) : nullptr);
  if (!number || !point || BN_is_zero(number.get()) == 1 ||
      BN_cmp(number.get(), EC_GROUP_get0_order(group.get())) >= 0 ||
      EC_POINT_mul(group.get(), point.get(), number.get(), nullptr, nullptr, nullptr) != 1) {
    return fail(ErrorCode::kCrypto, "not a private key of P-256");
  }
  Bytes pub(kPointSize);
  Secret native(kScalarSize);  // In the machine's byte order.
  if (EC_POINT_point2oct(group.get(), point.get(), POINT_CONVERSION_UNCOMPRESSED, pub.data(),
                         pub.size(), nullptr) != pub.size() ||
      BN_bn2nativepad(number.get(), native.span().data(), kScalarSize) != kScalarSize) {
    return fail(ErrorCode::kCrypto, "not a private key of P-256");
  }
  OSSL_PARAM params[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group_name, 0),
      OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, pub.data(), pub.size()),
      OSSL_PARAM_construct_BN(OSSL_PKEY_PARAM_PRIV_KEY, native.span().data(), kScalarSize),
      OSSL_PARAM_construct_end()};
  return from_params(EVP_PKEY_KEYPAIR, params);
}

Result<Pkey> p256_generate() {
  Pkey key(EVP_EC_gen("P-256"));
  if (!key) return fail(ErrorCode::kCrypto, "cannot make a P-256 key");
  return key;
}

Result<Bytes> p256_point(evp_pkey_st* key) {
  Bytes point(kPointSize);
  std::size_t size = 0;
  if (EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_PUB_KEY, point.data(), point.size(),
                                      &size) != 1 ||
      size != point.size() || point[0] != kUncompressed) {
    return fail(ErrorCode::kCrypto, "no P-256 point");
  }
  return point;
}

Result<Secret> p256_scalar(evp_pkey_st* key) {
  BIGNUM* number = nullptr;
  const bool got = EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_PRIV_KEY, &number) == 1;
  const Own<BIGNUM> owned(number);
  Secret scalar(kScalarSize);
  if (!got || BN_bn2binpad(number, scalar.span().data(), kScalarSize) != kScalarSize) {
    return fail(ErrorCode::kCrypto, "no private key");
  }
  return scalar;
}

}  // namespace sotto::keys
