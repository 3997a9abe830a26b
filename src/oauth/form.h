#pragma once

#include <cstddef>
#include <string_view>

#include "../jose/writer.h"

namespace oauth {

/// Encoding of a text for application/x-www-form-urlencoded (RFC 6749 appendix B). `A-Z a-z 0-9 - . _ *` stay as they
/// are, a space becomes `+`, and every other byte is escaped.
/// @return the size of the encoded text in bytes.
std::size_t form_encoded_size(std::string_view text) noexcept;

/// Writes the encoded text.
/// @param out room for form_encoded_size(text) bytes.
/// @return the end of what was written; no terminator is added.
char *form_encode(char *out, std::string_view text) noexcept;

/// Puts the encoded text.
inline void put_form_encoded(jose::Writer &writer, std::string_view text) noexcept {
  if (char *place = writer.take(form_encoded_size(text))) {
    form_encode(place, text);
  }
}

}  // namespace oauth
