#include "signature_oracle.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>

#include <algorithm>
#include <string>

#include "jose/openssl.h"
#include "oracle.h"

namespace fuzz {
namespace {

using jose::Release;
using Key = std::unique_ptr<EVP_PKEY, Release<EVP_PKEY_free>>;
using Builder = std::unique_ptr<OSSL_PARAM_BLD, Release<OSSL_PARAM_BLD_free>>;
using Number = std::unique_ptr<BIGNUM, Release<BN_free>>;

const unsigned char *bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char *>(text.data());
}

Key build(const char *type, OSSL_PARAM_BLD *builder) {
  OSSL_PARAM *parameters = OSSL_PARAM_BLD_to_param(builder);
  EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(nullptr, type, nullptr);
  EVP_PKEY *key = nullptr;
  if (EVP_PKEY_fromdata_init(context) != 1 || EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, parameters) != 1) {
    key = nullptr;
  }
  EVP_PKEY_CTX_free(context);
  OSSL_PARAM_free(parameters);
  return Key(key);
}

std::string decode(const json_t *jwk, const char *name) {
  return decode_base64url(string_member(jwk, name).value_or("")).value_or("");
}

Key import_rsa(const json_t *jwk) {
  const std::string n = decode(jwk, "n");
  const std::string e = decode(jwk, "e");
  const Builder builder(OSSL_PARAM_BLD_new());
  const Number modulus(BN_bin2bn(bytes(n), static_cast<int>(n.size()), nullptr));
  const Number exponent(BN_bin2bn(bytes(e), static_cast<int>(e.size()), nullptr));
  OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, modulus.get());
  OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, exponent.get());
  const bool weak = BN_num_bits(modulus.get()) < 2048 || BN_is_one(exponent.get()) || !BN_is_odd(exponent.get());
  const bool huge = BN_num_bits(modulus.get()) > 16384 || BN_num_bits(exponent.get()) > 64;
  return weak || huge ? nullptr : build("RSA", builder.get());
}

Key import_ec(const json_t *jwk, const std::string &curve) {
  const std::string x = decode(jwk, "x");
  const std::string y = decode(jwk, "y");
  const std::size_t size = curve == "P-256" ? 32 : curve == "P-384" ? 48 : 66;
  const auto padded = [size](const std::string &n) {
    const std::size_t begin = std::min(n.find_first_not_of('\0'), n.size());
    const std::string digits = n.substr(begin);
    return digits.size() > size ? digits : std::string(size - digits.size(), '\0') + digits;
  };
  const std::string encoded = '\4' + padded(x) + padded(y);
  const Builder builder(OSSL_PARAM_BLD_new());
  OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME, curve.c_str(), 0);
  OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY, encoded.data(), encoded.size());
  return build("EC", builder.get());
}

/// The two numbers of a JWS as the DER that OpenSSL wants.
std::string to_der(std::string_view signature) {
  const std::size_t half = signature.size() / 2;
  ECDSA_SIG *numbers = ECDSA_SIG_new();
  ECDSA_SIG_set0(numbers, BN_bin2bn(bytes(signature), static_cast<int>(half), nullptr),
                 BN_bin2bn(bytes(signature.substr(half)), static_cast<int>(signature.size() - half), nullptr));
  unsigned char *der = nullptr;
  const int size = i2d_ECDSA_SIG(numbers, &der);
  std::string text(reinterpret_cast<const char *>(der), static_cast<std::size_t>(std::max(size, 0)));
  OPENSSL_free(der);
  ECDSA_SIG_free(numbers);
  return text;
}

/// RFC 8037 section 2; RFC 9864 has a name for each curve beside that of both.
bool verifies_eddsa(const json_t *jwk, std::string_view alg, std::string_view compact) {
  const std::string curve(string_member(jwk, "crv").value_or(""));
  const std::string x = decode(jwk, "x");
  if (string_member(jwk, "kty") != std::string_view("OKP") || (curve != "Ed25519" && curve != "Ed448") ||
      (alg != "EdDSA" && alg != curve)) {
    return false;
  }
  const int type = curve == "Ed448" ? EVP_PKEY_ED448 : EVP_PKEY_ED25519;
  const Key key(EVP_PKEY_new_raw_public_key(type, nullptr, bytes(x), x.size()));
  const std::size_t dot = compact.rfind('.');
  const std::string signature = decode_base64url(compact.substr(dot + 1)).value_or("");
  EVP_MD_CTX *context = EVP_MD_CTX_new();
  const bool good = key != nullptr && EVP_DigestVerifyInit(context, nullptr, nullptr, nullptr, key.get()) == 1 &&
                    EVP_DigestVerify(context, bytes(signature), signature.size(), bytes(compact), dot) == 1;
  EVP_MD_CTX_free(context);
  return good;
}

}  // namespace

bool verifies(const json_t *jwk, std::string_view alg, std::string_view compact) {
  if (alg.substr(0, 2) == "Ed") {
    return verifies_eddsa(jwk, alg, compact);
  }
  const bool is_ec = alg.substr(0, 2) == "ES";
  const std::string curve = alg == "ES256" ? "P-256" : alg == "ES384" ? "P-384" : "P-521";
  if (string_member(jwk, "kty") != std::string_view(is_ec ? "EC" : "RSA") ||
      (is_ec && string_member(jwk, "crv") != std::string_view(curve))) {
    return false;
  }
  const Key key = is_ec ? import_ec(jwk, curve) : import_rsa(jwk);
  if (key == nullptr) {
    return false;
  }
  const std::size_t dot = compact.rfind('.');
  std::string signature = decode_base64url(compact.substr(dot + 1)).value_or("");
  // RFC 7518 section 3.4, RFC 8017 section 8: of the key's size, zeros before it included.
  const std::size_t size = is_ec ? (static_cast<std::size_t>(EVP_PKEY_get_bits(key.get())) + 7) / 8 * 2
                                 : static_cast<std::size_t>(EVP_PKEY_get_size(key.get()));
  if (signature.size() != size) {
    return false;
  }
  if (is_ec) {
    signature = to_der(signature);
  }
  const std::string digest = "SHA" + std::string(alg.substr(2));
  EVP_MD_CTX *context = EVP_MD_CTX_new();
  EVP_PKEY_CTX *parameters = nullptr;
  bool good = EVP_DigestVerifyInit_ex(context, &parameters, digest.c_str(), nullptr, nullptr, key.get(), nullptr) == 1;
  if (good && alg.substr(0, 2) == "PS") {
    good = EVP_PKEY_CTX_set_rsa_padding(parameters, RSA_PKCS1_PSS_PADDING) == 1 &&
           EVP_PKEY_CTX_set_rsa_pss_saltlen(parameters, RSA_PSS_SALTLEN_DIGEST) == 1;
  }
  good = good && EVP_DigestVerify(context, bytes(signature), signature.size(), bytes(compact), dot) == 1;
  EVP_MD_CTX_free(context);
  return good;
}

}  // namespace fuzz
