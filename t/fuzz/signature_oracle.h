#pragma once

#include <jansson.h>

#include <string_view>

namespace fuzz {

/// @param jwk the key, imported and used by OpenSSL alone.
/// @param alg one that we support.
/// @param compact a JWS whose parts are base64url.
/// @return whether the key is of the kind that `alg` uses, and has made the signature.
bool verifies(const json_t *jwk, std::string_view alg, std::string_view compact);

}  // namespace fuzz
