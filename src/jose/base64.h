#pragma once

#include <cstddef>
#include <string_view>

namespace jose {

/// @return how many characters of base64 (RFC 4648 section 4) encode so many bytes, padding included.
constexpr std::size_t base64_encoded_size(std::size_t size) noexcept {
  return (size + 2) / 3 * 4;
}

/// Encodes bytes as base64 with padding (RFC 4648 section 4).
/// @param out room for base64_encoded_size(bytes.size()) characters and a terminator.
void base64_encode(std::string_view bytes, char *out) noexcept;

}  // namespace jose
