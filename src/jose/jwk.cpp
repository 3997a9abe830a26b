#include "jwk.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <memory>
#include <string_view>

#include "base64url.h"
#include "openssl.h"

namespace jose {
namespace {

constexpr std::size_t smallest_rsa_bits = 2048;  // RFC 7518 section 3.3
constexpr std::size_t largest_rsa_bits = 16384;  // OpenSSL verifies with no larger one: OPENSSL_RSA_MAX_MODULUS_BITS

constexpr std::size_t largest_exponent = 8;  // bytes

using Number = std::unique_ptr<BIGNUM, Release<BN_free>>;
using Builder = std::unique_ptr<OSSL_PARAM_BLD, Release<OSSL_PARAM_BLD_free>>;
using Parameters = std::unique_ptr<OSSL_PARAM, Release<OSSL_PARAM_free>>;
using Context = std::unique_ptr<EVP_PKEY_CTX, Release<EVP_PKEY_CTX_free>>;

/// The bytes that a member of a JWK encodes; begin() skips the zeros before a number.
class Bytes {
 public:
  /// @return false where the member is not base64url, is empty, or is too long for any key.
  bool read(std::string_view encoded) noexcept {
    const std::size_t size = base64url_decoded_size(encoded.size());
    if (size == 0 || size > sizeof(bytes_) || !base64url_decode(encoded, reinterpret_cast<char *>(bytes_))) {
      return false;
    }
    decoded_ = size;
    first_ = static_cast<std::size_t>(
        std::find_if(bytes_, bytes_ + size, [](unsigned char byte) { return byte != 0; }) - bytes_);
    return true;
  }

  std::size_t decoded_size() const noexcept { return decoded_; }
  const unsigned char *decoded() const noexcept { return bytes_; }
  std::size_t size() const noexcept { return decoded_ - first_; }
  const unsigned char *begin() const noexcept { return bytes_ + first_; }
  const unsigned char *end() const noexcept { return bytes_ + decoded_; }

 private:
  unsigned char bytes_[largest_rsa_bits / 8];
  std::size_t decoded_ = 0;
  std::size_t first_ = 0;
};

/// @return why OpenSSL has refused a key. If the key is broken, OpenSSL's error queue says so; if the queue is empty or
///   tells of an allocation, there was no memory.
Import refused_by_openssl() noexcept {
  return take_openssl_error() == OpensslError::other ? Import::broken : Import::no_memory;
}

Import build_key(const char *type, OSSL_PARAM *parameters, PublicKey &key) noexcept {
  const Context context(EVP_PKEY_CTX_new_from_name(nullptr, type, nullptr));
  if (context == nullptr || EVP_PKEY_fromdata_init(context.get()) != 1) {
    (void)take_openssl_error();
    return Import::no_memory;
  }
  if (EVP_PKEY_fromdata(context.get(), &key.key, EVP_PKEY_PUBLIC_KEY, parameters) != 1) {
    return refused_by_openssl();
  }
  return Import::good;
}

/// With the exponent 1 anybody can sign, and with an even one nobody.
bool is_sound_exponent(const Bytes &exponent) noexcept {
  const bool is_one = exponent.size() == 1 && *exponent.begin() == 1;
  return exponent.size() != 0 && exponent.size() <= largest_exponent && (*(exponent.end() - 1) & 1U) == 1 && !is_one;
}

Import import_rsa(const JwkMembers &jwk, PublicKey &key) noexcept {
  Bytes modulus;
  Bytes exponent;
  if (!modulus.read(jwk.n) || !exponent.read(jwk.e) || !is_sound_exponent(exponent)) {
    return Import::broken;
  }
  const Number n(BN_bin2bn(modulus.begin(), static_cast<int>(modulus.size()), nullptr));
  const Number e(BN_bin2bn(exponent.begin(), static_cast<int>(exponent.size()), nullptr));
  const Builder builder(OSSL_PARAM_BLD_new());
  if (n == nullptr || e == nullptr || builder == nullptr ||
      OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, n.get()) != 1 ||
      OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, e.get()) != 1) {
    (void)take_openssl_error();
    return Import::no_memory;
  }
  if (static_cast<std::size_t>(BN_num_bits(n.get())) < smallest_rsa_bits) {
    return Import::broken;
  }
  const Parameters parameters(OSSL_PARAM_BLD_to_param(builder.get()));
  if (parameters == nullptr) {
    (void)take_openssl_error();
    return Import::no_memory;
  }
  return build_key("RSA", parameters.get(), key);
}

struct Curve {
  std::string_view name;  ///< `crv`
  KeyKind kind;
  std::size_t size;  ///< bytes of a coordinate, or of an OKP key
  const char *openssl_name;
};

constexpr Curve nist_curves[] = {{"P-256", KeyKind::p256, 32, "P-256"},
                                 {"P-384", KeyKind::p384, 48, "P-384"},
                                 {"P-521", KeyKind::p521, 66, "P-521"}};

constexpr Curve edwards_curves[] = {{"Ed25519", KeyKind::ed25519, 32, "ED25519"},
                                    {"Ed448", KeyKind::ed448, 57, "ED448"}};

template <std::size_t count>
const Curve *find_curve(const Curve (&curves)[count], std::string_view name) noexcept {
  const Curve *found = std::find_if(std::begin(curves), std::end(curves),
                                    [name](const Curve &curve) noexcept { return curve.name == name; });
  return found == std::end(curves) ? nullptr : found;
}

/// Puts the coordinate with zeros before it up to its full size. RFC 7518 section 6.2.1.2 demands them in the JWK
/// already, but some servers leave them out.
unsigned char *put_coordinate(const Bytes &coordinate, std::size_t size, unsigned char *out) noexcept {
  out = std::fill_n(out, size - coordinate.size(), static_cast<unsigned char>(0));
  return std::copy(coordinate.begin(), coordinate.end(), out);
}

Import import_ec(const JwkMembers &jwk, PublicKey &key) noexcept {
  const Curve *curve = find_curve(nist_curves, jwk.crv);
  Bytes x;
  Bytes y;
  if (curve == nullptr || !x.read(jwk.x) || !y.read(jwk.y) || x.size() > curve->size || y.size() > curve->size) {
    return Import::broken;
  }
  // An uncompressed point (SEC 1 section 2.3.3); OpenSSL checks that it is on the curve.
  unsigned char point[1 + 2 * 66] = {POINT_CONVERSION_UNCOMPRESSED};
  unsigned char *end = put_coordinate(y, curve->size, put_coordinate(x, curve->size, point + 1));
  OSSL_PARAM parameters[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, const_cast<char *>(curve->openssl_name), 0),
      OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point, static_cast<std::size_t>(end - point)),
      OSSL_PARAM_construct_end()};
  key.kind = curve->kind;
  return build_key("EC", parameters, key);
}

// RFC 8037 section 2. The curves for key agreement, X25519 and X448, sign nothing.
Import import_okp(const JwkMembers &jwk, PublicKey &key) noexcept {
  const Curve *curve = find_curve(edwards_curves, jwk.crv);
  if (curve == nullptr) {
    return Import::other_kind;
  }
  Bytes x;
  if (!x.read(jwk.x) || x.decoded_size() != curve->size) {
    return Import::broken;
  }
  key.kind = curve->kind;
  key.key = EVP_PKEY_new_raw_public_key_ex(nullptr, curve->openssl_name, nullptr, x.decoded(), x.decoded_size());
  return key.key == nullptr ? refused_by_openssl() : Import::good;
}

Import import_by_type(const JwkMembers &jwk, PublicKey &key) noexcept {
  if (jwk.kty == "RSA") {
    return import_rsa(jwk, key);
  }
  if (jwk.kty == "EC") {
    return import_ec(jwk, key);
  }
  return jwk.kty == "OKP" ? import_okp(jwk, key) : Import::other_kind;
}

}  // namespace

Import import_public_key(const JwkMembers &jwk, PublicKey &key) noexcept {
  key = {};
  const Import result = import_by_type(jwk, key);
  // OpenSSL makes a key although an allocation has failed on the way. Such a key may be of size 0 for as long as it
  // lives, and whatever it has signed would be refused.
  if (take_openssl_error() != OpensslError::none && result == Import::good) {
    free_public_key(key);
    return Import::no_memory;
  }
  return result;
}

void free_public_key(PublicKey &key) noexcept {
  EVP_PKEY_free(key.key);
  key = {};
}

}  // namespace jose
