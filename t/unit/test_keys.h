#pragma once

#include <gtest/gtest.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rsa.h>

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "jose/openssl.h"
#include "test_jwt.h"

namespace jose {

using PrivateKey = std::unique_ptr<EVP_PKEY, Release<EVP_PKEY_free>>;

inline PrivateKey make_rsa_key(unsigned bits) {
  return PrivateKey(EVP_PKEY_Q_keygen(nullptr, nullptr, "RSA", std::size_t{bits}));
}

/// @param curve P-256, P-384 or P-521; secp256k1 too.
inline PrivateKey make_ec_key(const char *curve) {
  return PrivateKey(EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", curve));
}

/// @param type ED25519 or ED448.
inline PrivateKey make_edwards_key(const char *type) {
  return PrivateKey(EVP_PKEY_Q_keygen(nullptr, nullptr, type));
}

/// A part of the public key, big-endian, padded to `size` bytes where that is not 0.
inline std::string number_of(const PrivateKey &key, const char *parameter, std::size_t size = 0) {
  BIGNUM *number = nullptr;
  EXPECT_EQ(EVP_PKEY_get_bn_param(key.get(), parameter, &number), 1) << parameter;
  std::string bytes(size == 0 ? static_cast<std::size_t>(BN_num_bytes(number)) : size, '\0');
  EXPECT_GE(BN_bn2binpad(number, reinterpret_cast<unsigned char *>(bytes.data()), static_cast<int>(bytes.size())), 0);
  BN_free(number);
  return bytes;
}

inline std::size_t coordinate_size(const PrivateKey &key) {
  return (static_cast<std::size_t>(EVP_PKEY_get_bits(key.get())) + 7) / 8;
}

/// The public key as a JWK (RFC 7518 section 6).
/// @param more members in addition, such as `,"kid":"1"`.
inline std::string jwk_of_rsa(const PrivateKey &key, std::string_view more = "") {
  return R"({"kty":"RSA","n":")" + base64url(number_of(key, OSSL_PKEY_PARAM_RSA_N)) + R"(","e":")" +
         base64url(number_of(key, OSSL_PKEY_PARAM_RSA_E)) + "\"" + std::string(more) + "}";
}

inline std::string jwk_of_ec(const PrivateKey &key, std::string_view curve, std::string_view more = "") {
  const std::size_t size = coordinate_size(key);
  return R"({"kty":"EC","crv":")" + std::string(curve) + R"(","x":")" +
         base64url(number_of(key, OSSL_PKEY_PARAM_EC_PUB_X, size)) + R"(","y":")" +
         base64url(number_of(key, OSSL_PKEY_PARAM_EC_PUB_Y, size)) + "\"" + std::string(more) + "}";
}

/// RFC 8037 section 2.
inline std::string jwk_of_edwards(const PrivateKey &key, std::string_view curve, std::string_view more = "") {
  std::string x(curve == "Ed448" ? 57 : 32, '\0');
  std::size_t size = x.size();
  EXPECT_EQ(EVP_PKEY_get_raw_public_key(key.get(), reinterpret_cast<unsigned char *>(x.data()), &size), 1);
  return R"({"kty":"OKP","crv":")" + std::string(curve) + R"(","x":")" + base64url(x) + "\"" + std::string(more) + "}";
}

inline std::string jwks(const std::vector<std::string> &keys) {
  std::string text = R"({"keys":[)";
  for (const std::string &key : keys) {
    text += (&key == keys.data() ? "" : ",") + key;
  }
  return text + "]}";
}

/// ECDSA as JWS has it (RFC 7518 section 3.4): both numbers in a row instead of DER.
inline std::string two_numbers(std::string_view der, std::size_t size) {
  const auto *in = reinterpret_cast<const unsigned char *>(der.data());
  ECDSA_SIG *signature = d2i_ECDSA_SIG(nullptr, &in, static_cast<long>(der.size()));
  std::string bytes(2 * size, '\0');
  auto *out = reinterpret_cast<unsigned char *>(bytes.data());
  EXPECT_GE(BN_bn2binpad(ECDSA_SIG_get0_r(signature), out, static_cast<int>(size)), 0);
  EXPECT_GE(BN_bn2binpad(ECDSA_SIG_get0_s(signature), out + size, static_cast<int>(size)), 0);
  ECDSA_SIG_free(signature);
  return bytes;
}

/// What is to be signed how.
struct Signing {
  const char *digest = "SHA256";  ///< nullptr for EdDSA
  bool pss = false;
  int salt_length = RSA_PSS_SALTLEN_DIGEST;
};

/// @param algorithm such as `PS384`.
inline Signing signing_of(std::string_view algorithm) {
  const std::string_view bits = algorithm.substr(std::min<std::size_t>(2, algorithm.size()));
  return {bits == "512"   ? "SHA512"
          : bits == "384" ? "SHA384"
          : bits == "256" ? "SHA256"
                          : nullptr,
          algorithm.substr(0, 2) == "PS"};
}

/// @return the signature as it stands in a JWS before base64url.
inline std::string sign(const PrivateKey &key, const Signing &signing, std::string_view text) {
  const std::unique_ptr<EVP_MD_CTX, Release<EVP_MD_CTX_free>> context(EVP_MD_CTX_new());
  EVP_PKEY_CTX *parameters = nullptr;
  EXPECT_EQ(EVP_DigestSignInit_ex(context.get(), &parameters, signing.digest, nullptr, nullptr, key.get(), nullptr), 1);
  if (signing.pss) {
    EXPECT_EQ(EVP_PKEY_CTX_set_rsa_padding(parameters, RSA_PKCS1_PSS_PADDING), 1);
    EXPECT_EQ(EVP_PKEY_CTX_set_rsa_pss_saltlen(parameters, signing.salt_length), 1);
  }
  const auto *bytes = reinterpret_cast<const unsigned char *>(text.data());
  std::size_t size = 0;
  EXPECT_EQ(EVP_DigestSign(context.get(), nullptr, &size, bytes, text.size()), 1);
  std::string signature(size, '\0');
  EXPECT_EQ(
      EVP_DigestSign(context.get(), reinterpret_cast<unsigned char *>(signature.data()), &size, bytes, text.size()), 1);
  signature.resize(size);
  return EVP_PKEY_is_a(key.get(), "EC") == 1 ? two_numbers(signature, coordinate_size(key)) : signature;
}

/// @param signing how to sign, whatever the header says.
inline std::string sign_jwt(const PrivateKey &key, const Signing &signing, std::string_view header,
                            std::string_view claims = "{}") {
  const std::string text = base64url(header) + "." + base64url(claims);
  return text + "." + base64url(sign(key, signing, text));
}

/// A JWT with that `alg`, signed as it says.
/// @param more members of the header in addition, such as `,"kid":"1"`.
inline std::string sign_jwt(const PrivateKey &key, std::string_view algorithm, std::string_view more = "") {
  return sign_jwt(key, signing_of(algorithm), R"({"alg":")" + std::string(algorithm) + "\"" + std::string(more) + "}");
}

}  // namespace jose
