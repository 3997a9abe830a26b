#pragma once

#include <string_view>

#include "digest.h"

namespace jose {

/// Writes the HMAC-SHA-256 of a text.
/// @param mac room for sha256_size bytes.
/// @return false where OpenSSL fails; its error queue is empty then.
bool hmac_sha256(std::string_view secret, std::string_view text, unsigned char *mac) noexcept;

/// Compares in a time that does not depend on where the texts differ.
bool equal_in_constant_time(std::string_view one, std::string_view other) noexcept;

}  // namespace jose
