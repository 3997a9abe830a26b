#pragma once

#include <openssl/types.h>

#include <string_view>

#include "memory.h"
#include "signature_algorithm.h"

namespace jose {

/// What signs: a private key by an algorithm that fits it, or a secret by HS256 (RFC 7518 section 3.2). Others own the
/// key and the secret.
struct Signer {
  const SignatureAlgorithm *algorithm = nullptr;  ///< nullptr: HS256
  EVP_PKEY *key = nullptr;
  std::string_view secret;  ///< of HS256
};

/// @return the `alg` that belongs into the header.
std::string_view algorithm_name(const Signer &signer) noexcept;

/// Makes a JWS in its compact form (RFC 7515 section 7.1).
/// @param header the JOSE header, JSON; its `alg` is algorithm_name(signer).
/// @param payload any bytes: of a JWT its claims, JSON.
/// @param jws set, in `memory`, where the result is true.
/// @return false where there is no memory, or OpenSSL cannot sign; its error queue is empty then.
bool make_compact_jws(const Signer &signer, std::string_view header, std::string_view payload, Memory &memory,
                      std::string_view &jws) noexcept;

}  // namespace jose
