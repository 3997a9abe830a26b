#pragma once

#include <cstddef>

namespace jose {

constexpr std::size_t random_id_size = 22;  // characters

/// Writes 128 random bits as base64url, for a `jti`: the chance that two are equal is none that matters (RFC 7519
/// section 4.1.7).
/// @param id room for random_id_size characters; no terminator is added.
/// @return false where OpenSSL has no random bits; its error queue is empty then.
bool make_random_id(char *id) noexcept;

}  // namespace jose
