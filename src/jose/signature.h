#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "jwt.h"

namespace jose {

/// Public keys that verify JWTs, made from a JWK Set (RFC 7517). Lives on the heap, since it outlives requests; freed
/// with free_key_set(). Keys that are not for verifying, or of kinds that no supported algorithm has, are left out.
struct KeySet;

struct KeySetResult {
  KeySet *keys = nullptr;         ///< nullptr where the set cannot be used
  const char *problem = nullptr;  ///< set where keys is nullptr: a constant for the log line
  std::size_t ignored = 0;        ///< keys of the set that are broken or too weak
};

/// @param json the JWK Set; duplicate members and a set without any usable key are refused.
KeySetResult parse_key_set(std::string_view json) noexcept;

void free_key_set(KeySet *keys) noexcept;

enum class Verification : std::uint8_t {
  good,
  bad,          ///< the signature is wrong, or the header asks for what is not supported
  unknown_key,  ///< no key of the set fits; a newer set may have one
  no_memory,    ///< nothing is known of the signature
};

struct VerificationResult {
  Verification verification = Verification::bad;
  const char *problem = nullptr;  ///< a constant for the log line; nullptr where the signature is good
};

/// Verifies a JWS with RS256 to RS512, PS256 to PS512 or ES256 to ES512 (RFC 7518). The key must be of the algorithm's
/// kind (RFC 8725 section 3.1); `none`, HMAC and any `crit` are refused. The set remembers what is good.
VerificationResult verify_signature(KeySet &keys, const Jwt &jwt) noexcept;

/// @param compact a JWT; nothing of it needs to have been read.
/// @return whether verify_signature() has found this set to verify the same bytes, by their SHA-256. A set remembers
/// some of the last.
bool has_verified(const KeySet &keys, std::string_view compact) noexcept;

}  // namespace jose
