#pragma once

#include <string_view>

#include "jwk.h"

namespace jose {

/// Imports a public key, or finds it where a request of this process has imported it before: a client sends the same
/// key with each request, and to import one costs a part of a signature's verification. Some of the latest keys are
/// kept, not all.
/// @param thumbprint of the JWK, as make_thumbprint() writes it.
/// @param key set where the result is good; it lives until the next call.
Import find_or_import(const JwkMembers &jwk, std::string_view thumbprint, const PublicKey *&key) noexcept;

/// Frees all keys, at the end of a process.
void forget_known_keys() noexcept;

}  // namespace jose
