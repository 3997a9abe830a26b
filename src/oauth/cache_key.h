#pragma once

#include <cstddef>
#include <string_view>

#include "strings.h"

namespace oauth {

constexpr std::size_t cache_key_size = 64;

/// Hex SHA-256 over the parts, each with its length before it, so that no two lists of parts share a key but by a
/// collision of the hash.
/// @param hex room for cache_key_size lower case characters; no terminator is added.
/// @return false where OpenSSL fails; its error queue is empty then.
bool cache_key(Strings parts, char *hex) noexcept;

/// Frees what cache_key() keeps between calls; a process's end.
void release_cache_key() noexcept;

}  // namespace oauth
