#pragma once

#include <openssl/types.h>

#include <cstdint>
#include <string_view>

namespace jose {

/// The type of a public key, with its curve where it has one.
enum class KeyKind : std::uint8_t { rsa, p256, p384, p521, ed25519, ed448 };

/// A public key from a JWK (RFC 7517), imported into OpenSSL. The caller frees it with free_public_key().
struct PublicKey {
  EVP_PKEY *key = nullptr;
  KeyKind kind = KeyKind::rsa;
};

/// The members of a JWK that make a public key, whoever has read them. Empty: absent, or no string.
struct JwkMembers {
  std::string_view kty;
  std::string_view crv;
  std::string_view x;
  std::string_view y;
  std::string_view n;
  std::string_view e;
};

enum class Import : std::uint8_t {
  good,
  other_kind,  ///< not RSA, EC or OKP, or a curve that signs nothing
  broken,      ///< a member is missing or wrong, the point is not on the curve, or RSA is too weak
  no_memory,
};

/// Makes a key of the public members: RFC 7518 sections 6.2.1 and 6.3.1, RFC 8037 section 2. RSA must have 2048 to
/// 16384 bits (RFC 7518 section 3.3) and an odd exponent from 3 to 2^64.
/// @param key set where the result is good.
Import import_public_key(const JwkMembers &jwk, PublicKey &key) noexcept;

void free_public_key(PublicKey &key) noexcept;

}  // namespace jose
