#pragma once

#include <cstddef>
#include <string_view>

namespace jose {

constexpr std::size_t percent_encoded_size = 3;  // characters: `%` and two hexadecimal digits

/// @return the byte, from 0 to 255, that the beginning of the text encodes (RFC 3986 section 2.1); -1 where it encodes
///   none.
int percent_decode(std::string_view text) noexcept;

}  // namespace jose
