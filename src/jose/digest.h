#pragma once

#include <cstddef>
#include <string_view>

#include "strings.h"
#include "writer.h"

namespace jose {

constexpr std::size_t hex_digest_size = 64;

/// Writes the SHA-256 of a list of texts in hexadecimal. Each text is hashed with its length before it, so that
/// {"ab", "c"} and {"a", "bc"} have different digests.
/// @param hex room for hex_digest_size lower case characters; no terminator is added.
/// @return false where OpenSSL fails; its error queue is empty then.
bool hex_digest(Strings parts, char *hex) noexcept;

/// Writes the same digest where put_part() has put the first texts of the list before.
/// @param begun what put_part() has put.
/// @param parts the other texts.
bool hex_digest(std::string_view begun, Strings parts, char *hex) noexcept;

constexpr std::size_t sha256_size = hex_digest_size / 2;  // bytes

/// Writes the SHA-256 of a text as it is.
/// @param hash room for sha256_size bytes.
/// @return as hex_digest().
bool sha256(std::string_view text, unsigned char *hash) noexcept;

/// Puts a part with its length before it: 8 bytes, the most significant first.
void put_part(Writer &writer, std::string_view part) noexcept;

/// Frees what hex_digest() keeps between calls, at the end of a process.
void release_digest() noexcept;

}  // namespace jose
