#pragma once

#include <string_view>

#include "writer.h"

namespace jose {

/// Puts a JSON string with its quotes (RFC 8259 section 7).
/// @param text UTF-8.
inline void put_json_string(Writer &writer, std::string_view text) noexcept {
  constexpr std::string_view hex_digits = "0123456789abcdef";
  writer.put('"');
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20) {
      writer.put("\\u00");
      writer.put(hex_digits[byte >> 4U]);
      writer.put(hex_digits[byte & 0xFU]);
    } else {
      if (c == '"' || c == '\\') {
        writer.put('\\');
      }
      writer.put(c);
    }
  }
  writer.put('"');
}

}  // namespace jose
