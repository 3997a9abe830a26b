#include "form.h"

#include <algorithm>
#include <array>

namespace oauth {

namespace {

constexpr std::string_view unescaped_characters =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    "abcdefghijklmnopqrstuvwxyz"
    "0123456789-._* ";  // a space becomes `+`, which is one character too

constexpr std::array<bool, 256> escape_table() noexcept {
  std::array<bool, 256> table{};
  for (bool &escaped : table) {
    escaped = true;
  }
  for (const char c : unescaped_characters) {
    table[static_cast<unsigned char>(c)] = false;
  }
  return table;
}

constexpr std::array<bool, 256> escaped = escape_table();

bool needs_escape(char c) noexcept {
  return escaped[static_cast<unsigned char>(c)];
}

}  // namespace

std::size_t form_encoded_size(std::string_view text) noexcept {
  const auto escapes = std::count_if(text.begin(), text.end(), needs_escape);
  return text.size() + 2 * static_cast<std::size_t>(escapes);
}

char *form_encode(char *out, std::string_view text) noexcept {
  constexpr std::string_view hex_digits = "0123456789ABCDEF";
  for (const char c : text) {
    if (needs_escape(c)) {
      const auto byte = static_cast<unsigned char>(c);
      *out++ = '%';
      *out++ = hex_digits[byte >> 4U];
      *out++ = hex_digits[byte & 0xFU];
    } else {
      *out++ = c == ' ' ? '+' : c;
    }
  }
  return out;
}

}  // namespace oauth
