#pragma once

#include <openssl/types.h>

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "jwk.h"

namespace jose {

/// A signature algorithm of JWS by its registered name (RFC 7518 section 3.1, RFC 8037 section 3.1, RFC 9864 section
/// 2).
struct SignatureAlgorithm;

/// @param name the header's `alg`.
/// @return nullptr for `none`, for HMAC, and for whatever else is not supported.
const SignatureAlgorithm *find_signature_algorithm(std::string_view name) noexcept;

std::string_view name(const SignatureAlgorithm &algorithm) noexcept;

/// @return whether the algorithm uses keys of this kind (RFC 8725 section 3.1).
bool fits(const SignatureAlgorithm &algorithm, KeyKind kind) noexcept;

/// @param size bytes.
/// @return whether a signature may have this size. For RSA always: the size depends on the key, and verify() checks it.
bool may_have_size(const SignatureAlgorithm &algorithm, std::size_t size) noexcept;

enum class Match : std::uint8_t { good, bad, no_memory };

/// @param key one that fits the algorithm.
/// @param signed_part the JWS signing input (RFC 7515 section 5.2).
/// @param signature decoded from base64url. That of ES256 and the like is two numbers in a row (RFC 7518 section 3.4).
Match verify(const SignatureAlgorithm &algorithm, const PublicKey &key, std::string_view signed_part,
             std::string_view signature) noexcept;

/// That of the largest RSA key that import_public_key() and read_signing_key() take; bytes.
constexpr std::size_t largest_signature = 2048;

/// @param key private, and one that fits the algorithm. OpenSSL takes no const.
/// @param text the JWS signing input (RFC 7515 section 5.1).
/// @param signature room for largest_signature bytes. For ES* both numbers in a row (RFC 7518 section 3.4).
/// @param size set where the result is true.
/// @return false where there is no memory, or OpenSSL cannot sign: of which of them, it does not always say. Its error
///   queue is empty then.
bool sign(const SignatureAlgorithm &algorithm, EVP_PKEY &key, std::string_view text, char *signature,
          std::size_t &size) noexcept;

}  // namespace jose
