#include "signature_algorithm.h"

#include <openssl/bn.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <memory>

#include "openssl.h"

namespace jose {

struct SignatureAlgorithm {
  enum class Padding : std::uint8_t { none, pkcs1, pss };

  std::string_view name;
  const char *digest;          ///< its name in OpenSSL; nullptr for EdDSA, which hashes by itself
  std::size_t signature_size;  ///< bytes; 0 where it depends on the key
  KeyKind kind;
  KeyKind other_kind;  ///< EdDSA has two kinds; for all others, the same as `kind`
  Padding padding;     ///< none but for RSA
};

namespace {

using Padding = SignatureAlgorithm::Padding;

constexpr SignatureAlgorithm rsa(std::string_view name, const char *digest, Padding padding) noexcept {
  return {name, digest, 0, KeyKind::rsa, KeyKind::rsa, padding};
}

constexpr SignatureAlgorithm ecdsa(std::string_view name, KeyKind kind, const char *digest, std::size_t size) noexcept {
  return {name, digest, size, kind, kind, Padding::none};
}

constexpr SignatureAlgorithm eddsa(std::string_view name, KeyKind kind, KeyKind other_kind, std::size_t size) noexcept {
  return {name, nullptr, size, kind, other_kind, Padding::none};
}

constexpr SignatureAlgorithm algorithms[] = {
    rsa("RS256", "SHA256", Padding::pkcs1),
    rsa("RS384", "SHA384", Padding::pkcs1),
    rsa("RS512", "SHA512", Padding::pkcs1),
    rsa("PS256", "SHA256", Padding::pss),
    rsa("PS384", "SHA384", Padding::pss),
    rsa("PS512", "SHA512", Padding::pss),
    ecdsa("ES256", KeyKind::p256, "SHA256", 64),
    ecdsa("ES384", KeyKind::p384, "SHA384", 96),
    ecdsa("ES512", KeyKind::p521, "SHA512", 132),
    eddsa("EdDSA", KeyKind::ed25519, KeyKind::ed448, 0),
    eddsa("Ed25519", KeyKind::ed25519, KeyKind::ed25519, 64),
    eddsa("Ed448", KeyKind::ed448, KeyKind::ed448, 114),
};

using Digest = std::unique_ptr<EVP_MD_CTX, Release<EVP_MD_CTX_free>>;
using Numbers = std::unique_ptr<ECDSA_SIG, Release<ECDSA_SIG_free>>;

const unsigned char *bytes(std::string_view text) noexcept {
  return reinterpret_cast<const unsigned char *>(text.data());
}

/// An ECDSA signature in the form that OpenSSL verifies: a DER sequence of two numbers.
struct Der {
  unsigned char bytes[2 * 66 + 16];
  std::size_t size = 0;
};

bool write_der(std::string_view signature, Der &der) noexcept {
  const std::size_t half = signature.size() / 2;
  const Numbers numbers(ECDSA_SIG_new());
  BIGNUM *r = BN_bin2bn(bytes(signature), static_cast<int>(half), nullptr);
  BIGNUM *s = BN_bin2bn(bytes(signature) + half, static_cast<int>(half), nullptr);
  if (numbers == nullptr || r == nullptr || s == nullptr || ECDSA_SIG_set0(numbers.get(), r, s) != 1) {
    BN_free(r);
    BN_free(s);
    return false;
  }
  unsigned char *end = der.bytes;
  const int size = i2d_ECDSA_SIG(numbers.get(), &end);
  der.size = static_cast<std::size_t>(size);
  return size > 0;
}

bool set_padding(EVP_PKEY_CTX *context, Padding padding) noexcept {
  switch (padding) {
    case Padding::none:
      return true;
    case Padding::pkcs1:
      return EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PADDING) == 1;
    case Padding::pss:  // RFC 7518 section 3.5: the salt is as long as the hash
      return EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PSS_PADDING) == 1 &&
             EVP_PKEY_CTX_set_rsa_pss_saltlen(context, RSA_PSS_SALTLEN_DIGEST) == 1;
  }
  return false;
}

/// The key fits the algorithm, so that the steps before EVP_DigestVerify() fail only for lack of memory.
Match verify_by_openssl(const SignatureAlgorithm &algorithm, const PublicKey &key, std::string_view signed_part,
                        std::string_view signature) noexcept {
  const Digest digest(EVP_MD_CTX_new());
  EVP_PKEY_CTX *context = nullptr;
  if (digest == nullptr ||
      EVP_DigestVerifyInit_ex(digest.get(), &context, algorithm.digest, nullptr, nullptr, key.key, nullptr) != 1 ||
      !set_padding(context, algorithm.padding)) {
    return Match::no_memory;
  }
  // Without this flag EVP_DigestVerifyFinal() works on a copy of the context. If there is no memory for the copy, it
  // says that the signature is wrong, and leaves nothing in the error queue.
  EVP_MD_CTX_set_flags(digest.get(), EVP_MD_CTX_FLAG_FINALISE);
  const int result =
      EVP_DigestVerify(digest.get(), bytes(signature), signature.size(), bytes(signed_part), signed_part.size());
  if (result == 1) {
    return Match::good;
  }
  return take_openssl_error() == OpensslError::no_memory ? Match::no_memory : Match::bad;
}

bool sign_by_openssl(const SignatureAlgorithm &algorithm, EVP_PKEY &key, std::string_view text, char *signature,
                     std::size_t &size) noexcept {
  const Digest digest(EVP_MD_CTX_new());
  EVP_PKEY_CTX *context = nullptr;
  if (digest == nullptr ||
      EVP_DigestSignInit_ex(digest.get(), &context, algorithm.digest, nullptr, nullptr, &key, nullptr) != 1 ||
      !set_padding(context, algorithm.padding)) {
    return false;
  }
  size = largest_signature;
  return EVP_DigestSign(digest.get(), reinterpret_cast<unsigned char *>(signature), &size, bytes(text), text.size()) ==
         1;
}

/// Writes the two numbers of an ECDSA signature in a row, in place of OpenSSL's DER.
bool write_numbers(const SignatureAlgorithm &algorithm, char *signature, std::size_t &size) noexcept {
  const auto *der = bytes({signature, size});
  const Numbers numbers(d2i_ECDSA_SIG(nullptr, &der, static_cast<long>(size)));
  const auto half = static_cast<int>(algorithm.signature_size / 2);
  auto *out = reinterpret_cast<unsigned char *>(signature);
  size = algorithm.signature_size;
  return numbers != nullptr && BN_bn2binpad(ECDSA_SIG_get0_r(numbers.get()), out, half) == half &&
         BN_bn2binpad(ECDSA_SIG_get0_s(numbers.get()), out + half, half) == half;
}

bool is_ecdsa(const SignatureAlgorithm &algorithm) noexcept {
  return algorithm.digest != nullptr && algorithm.padding == Padding::none;
}

// RFC 8017 section 8.1.2 step 1. OpenSSL itself takes a signature of RSASSA-PSS whose leading zeros are left out.
bool has_size_of_key(const SignatureAlgorithm &algorithm, const PublicKey &key, std::size_t size) noexcept {
  return algorithm.signature_size != 0 || size == static_cast<std::size_t>(EVP_PKEY_size(key.key));
}

}  // namespace

const SignatureAlgorithm *find_signature_algorithm(std::string_view name) noexcept {
  const SignatureAlgorithm *found =
      std::find_if(std::begin(algorithms), std::end(algorithms),
                   [name](const SignatureAlgorithm &algorithm) noexcept { return algorithm.name == name; });
  return found == std::end(algorithms) ? nullptr : found;
}

std::string_view name(const SignatureAlgorithm &algorithm) noexcept {
  return algorithm.name;
}

bool fits(const SignatureAlgorithm &algorithm, KeyKind kind) noexcept {
  return kind == algorithm.kind || kind == algorithm.other_kind;
}

bool may_have_size(const SignatureAlgorithm &algorithm, std::size_t size) noexcept {
  return algorithm.signature_size == 0 || algorithm.signature_size == size;
}

Match verify(const SignatureAlgorithm &algorithm, const PublicKey &key, std::string_view signed_part,
             std::string_view signature) noexcept {
  if (!may_have_size(algorithm, signature.size()) || !has_size_of_key(algorithm, key, signature.size())) {
    return Match::bad;
  }
  Der der;
  if (is_ecdsa(algorithm) && !write_der(signature, der)) {
    (void)take_openssl_error();
    return Match::no_memory;
  }
  if (is_ecdsa(algorithm)) {
    signature = {reinterpret_cast<const char *>(der.bytes), der.size};
  }
  const Match match = verify_by_openssl(algorithm, key, signed_part, signature);
  (void)take_openssl_error();
  return match;
}

bool sign(const SignatureAlgorithm &algorithm, EVP_PKEY &key, std::string_view text, char *signature,
          std::size_t &size) noexcept {
  const bool is_signed = sign_by_openssl(algorithm, key, text, signature, size) &&
                         (!is_ecdsa(algorithm) || write_numbers(algorithm, signature, size));
  (void)take_openssl_error();
  return is_signed;
}

}  // namespace jose
