#pragma once

#include <openssl/types.h>

#include <cstdint>
#include <string_view>

#include "jwk.h"
#include "signature_algorithm.h"

namespace jose {

/// A private key that signs, as OpenSSL has it; freed with free_signing_key().
struct SigningKey {
  EVP_PKEY *key = nullptr;
  KeyKind kind = KeyKind::rsa;
};

enum class KeyReading : std::uint8_t {
  good,
  no_key,      ///< the text has no PEM block with a private key that can be read
  encrypted,   ///< a passphrase would be needed
  other_kind,  ///< neither RSA, nor EC with the curve P-256, P-384 or P-521, nor Ed25519
  weak,        ///< RSA of less than 2048 bits (RFC 7518 section 3.3)
  too_large,   ///< RSA of more than 16384 bits
  no_memory,   ///< nothing is known of the key; OpenSSL's decoders call some of these no_key
};

/// Reads an unencrypted private key in PEM: PKCS #8 (RFC 5958), or the older forms of RSA and EC keys.
/// @param key set where the result is good.
KeyReading read_signing_key(std::string_view pem, SigningKey &key) noexcept;

/// Leaves an empty key.
void free_signing_key(SigningKey &key) noexcept;

/// @return the algorithm of a key that names none: ES256, ES384 and ES512 by the curve, EdDSA, RS256.
const SignatureAlgorithm &default_algorithm(const SigningKey &key) noexcept;

}  // namespace jose
