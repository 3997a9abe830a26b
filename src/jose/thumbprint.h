#pragma once

#include <cstddef>

#include "jwk.h"
#include "memory.h"
#include "writer.h"

namespace jose {

/// Characters of base64url that a SHA-256 digest has: a key's thumbprint (RFC 7638 section 3), which tells keys apart
/// and says nothing of their private part, and a certificate's (RFC 7515 section 4.1.8).
constexpr std::size_t thumbprint_size = 43;

/// Writes the SHA-256 of a text as base64url.
/// @param thumbprint room for thumbprint_size characters; no terminator is added.
/// @return false where OpenSSL fails; its error queue is empty then.
bool make_thumbprint(std::string_view text, char *thumbprint) noexcept;

/// Puts the members that RFC 7638 section 3.2 and RFC 8037 section 2 require of a JWK, in the order of their names, and
/// leaves the object open.
/// @param jwk of the type RSA, EC or OKP.
void put_required_members(Writer &writer, const JwkMembers &jwk) noexcept;

/// Writes the thumbprint of a key, from its members as they are written (RFC 7638 section 3).
/// @param jwk as for put_required_members().
/// @param thumbprint room for thumbprint_size characters; no terminator is added.
/// @return false where there is no memory, or OpenSSL fails; its error queue is empty then.
bool make_thumbprint(const JwkMembers &jwk, Memory &memory, char *thumbprint) noexcept;

}  // namespace jose
