#pragma once

#include "json.h"
#include "jwk.h"

namespace jose {

/// Reads the public key that a JWT brings in its header (RFC 7515 section 4.1.3). Whether the members make a good key,
/// import_public_key() finds out.
/// @param header as read_jwt_part() reads it.
/// @param jwk set, to views of the header, where the result is nullptr.
/// @return nullptr, or a constant that says what is wrong: there is none, its `kty` is none of RSA, EC and OKP, or it
/// has
///   a private member.
const char *read_embedded_key(const JsonValue &header, JwkMembers &jwk) noexcept;

}  // namespace jose
