#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "jwt.h"

namespace jose {

/// The keys of a JWK Set (RFC 7517) that can verify JWTs. Those that are not for signatures, or are of a kind that no
/// supported algorithm uses, are left out. A set outlives requests, so that it lives on the heap; the caller frees it
/// with free_key_set().
struct KeySet;

struct KeySetResult {
  KeySet *keys = nullptr;         ///< nullptr where the set cannot be used
  const char *problem = nullptr;  ///< set where keys is nullptr: a constant for the log line
  std::size_t ignored = 0;        ///< keys of the set that are broken or too weak
};

/// Refuses a set with duplicate members and one without any key that can verify.
/// @param json the JWK Set.
KeySetResult parse_key_set(std::string_view json) noexcept;

void free_key_set(KeySet *keys) noexcept;

enum class Verification : std::uint8_t {
  good,
  bad,          ///< the signature is wrong, or the header asks for what is not supported
  unknown_key,  ///< no key of the set fits; a newer set may have one
  no_memory,    ///< the signature could not be looked at
};

struct VerificationResult {
  Verification verification = Verification::bad;
  const char *problem = nullptr;  ///< a constant for the log line; nullptr where the signature is good
};

/// Verifies the signature of a JWT by any algorithm that find_signature_algorithm() knows. The key must be of the
/// algorithm's kind (RFC 8725 section 3.1). `none`, HMAC and any `crit` are refused. A JWT whose signature is good is
/// remembered for has_verified().
VerificationResult verify_signature(KeySet &keys, const Jwt &jwt) noexcept;

/// @param compact a JWT, which need not have been parsed.
/// @return whether verify_signature() found its signature good before, for the same set and the same bytes (by their
///   SHA-256). A set remembers some of the latest JWTs, not all.
bool has_verified(const KeySet &keys, std::string_view compact) noexcept;

}  // namespace jose
