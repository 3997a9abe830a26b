#include "base64url.h"

#include <array>

namespace oauth {

namespace {

constexpr std::string_view alphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    "abcdefghijklmnopqrstuvwxyz"
    "0123456789-_";

constexpr unsigned char invalid = 0xFF;

constexpr std::array<unsigned char, 256> sextet_table() noexcept {
  std::array<unsigned char, 256> table{};
  for (unsigned char &sextet : table) {
    sextet = invalid;
  }
  for (std::size_t i = 0; i < alphabet.size(); ++i) {
    table[static_cast<unsigned char>(alphabet[i])] = static_cast<unsigned char>(i);
  }
  return table;
}

}  // namespace

bool base64url_decode(std::string_view text, char *out) noexcept {
  static constexpr std::array<unsigned char, 256> sextets = sextet_table();
  if (text.size() % 4 == 1) {
    return false;
  }

  unsigned bits = 0;
  unsigned pending = 0;
  for (const char c : text) {
    const unsigned sextet = sextets[static_cast<unsigned char>(c)];
    if (sextet == invalid) {
      return false;
    }
    bits = bits << 6U | sextet;
    pending += 6;
    if (pending >= 8) {
      pending -= 8;
      if (out != nullptr) {
        *out++ = static_cast<char>(bits >> pending & 0xFFU);
      }
    }
  }

  const unsigned unused_bits = bits & ((1U << pending) - 1);
  return unused_bits == 0;
}

}  // namespace oauth
