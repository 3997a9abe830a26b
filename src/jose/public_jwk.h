#pragma once

#include <cstddef>
#include <string_view>

#include "memory.h"
#include "signature_algorithm.h"
#include "signing_key.h"
#include "thumbprint.h"

namespace jose {

/// Writes the thumbprint of a key.
/// @param thumbprint room for thumbprint_size characters; no terminator is added.
/// @return false where there is no memory, or OpenSSL fails; its error queue is empty then.
bool make_thumbprint(const SigningKey &key, Memory &memory, char *thumbprint) noexcept;

/// Makes the JWK by which others verify what the key signs (RFC 7517 section 4): `kty` and the public members, `use`,
/// `alg` and `kid`.
/// @param jwk set, in `memory`, where the result is true: a JSON object.
/// @return as make_thumbprint().
bool make_public_jwk(const SigningKey &key, const SignatureAlgorithm &algorithm, std::string_view kid, Memory &memory,
                     std::string_view &jwk) noexcept;

}  // namespace jose
