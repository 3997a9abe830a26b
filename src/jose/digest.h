#pragma once

#include <cstddef>
#include <string_view>

#include "strings.h"
#include "writer.h"

namespace jose {

constexpr std::size_t hex_digest_size = 64;

/// Hex SHA-256 over the parts, each with its length before it, so that no two lists of parts share a key but by a
/// collision of the hash.
/// @param hex room for hex_digest_size lower case characters; no terminator is added.
/// @return false where OpenSSL fails; its error queue is empty then.
bool hex_digest(Strings parts, char *hex) noexcept;

/// The same over parts of which the first ones have been put into a text before.
/// @param begun what put_part() has put.
bool hex_digest(std::string_view begun, Strings parts, char *hex) noexcept;

/// Puts a part with its length before it: 8 bytes, the most significant first.
void put_part(Writer &writer, std::string_view part) noexcept;

/// Frees what hex_digest() keeps between calls; a process's end.
void release_digest() noexcept;

}  // namespace jose
