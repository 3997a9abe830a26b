#pragma once

#include <cstddef>
#include <string_view>

namespace jose {

/// @return how many bytes `encoded_size` characters of unpadded base64url decode to.
constexpr std::size_t base64url_decoded_size(std::size_t encoded_size) noexcept {
  return encoded_size * 3 / 4;
}

/// Characters that so many bytes encode to.
constexpr std::size_t base64url_encoded_size(std::size_t size) noexcept {
  return (size * 4 + 2) / 3;
}

/// Encodes bytes as base64url without padding (RFC 7515 section 2).
/// @param out room for base64url_encoded_size(bytes.size()) characters; no terminator is added.
void base64url_encode(std::string_view bytes, char *out) noexcept;

/// Decodes base64url without padding (RFC 7515 section 2). Refuses other characters, padding, a length that no bytes
/// encode to, and unused bits at the end that are not zero (RFC 4648 section 3.5).
/// @param out room for base64url_decoded_size(text.size()) bytes, or nullptr where only the check is wanted.
/// @return whether `text` is base64url; out is undefined where it is not.
bool base64url_decode(std::string_view text, char *out) noexcept;

}  // namespace jose
