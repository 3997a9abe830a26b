#include "base64url.h"

#include <array>

namespace oauth {

namespace {

constexpr std::string_view alphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    "abcdefghijklmnopqrstuvwxyz"
    "0123456789-_";

constexpr unsigned sextet_limit = 64;

constexpr std::array<unsigned char, 256> sextet_table() noexcept {
  std::array<unsigned char, 256> table{};
  for (unsigned char &sextet : table) {
    sextet = 0xFF;
  }
  for (std::size_t i = 0; i < alphabet.size(); ++i) {
    table[static_cast<unsigned char>(alphabet[i])] = static_cast<unsigned char>(i);
  }
  return table;
}

constexpr std::array<unsigned char, 256> sextets = sextet_table();

/// @return not below sextet_limit where the character is none of the alphabet.
unsigned sextet(char c) noexcept {
  return sextets[static_cast<unsigned char>(c)];
}

char low_byte(unsigned bits) noexcept {
  return static_cast<char>(bits & 0xFFU);
}

/// @param text less than four characters.
bool decode_rest(std::string_view text, char *out) noexcept {
  unsigned bits = 0;
  unsigned seen = 0;
  unsigned pending = 0;
  for (const char c : text) {
    bits = bits << 6U | sextet(c);
    seen |= sextet(c);
    pending += 6;
    if (pending >= 8) {
      pending -= 8;
      if (out != nullptr) {
        *out++ = low_byte(bits >> pending);
      }
    }
  }
  const unsigned unused_bits = bits & ((1U << pending) - 1);
  return seen < sextet_limit && unused_bits == 0;
}

}  // namespace

bool base64url_decode(std::string_view text, char *out) noexcept {
  if (text.size() % 4 == 1) {
    return false;
  }

  unsigned seen = 0;  // checked once at the end: checking each character doubles the time
  for (; text.size() >= 4; text.remove_prefix(4)) {
    const unsigned a = sextet(text[0]);
    const unsigned b = sextet(text[1]);
    const unsigned c = sextet(text[2]);
    const unsigned d = sextet(text[3]);
    seen |= a | b | c | d;
    if (out != nullptr) {
      *out++ = low_byte(a << 2U | b >> 4U);
      *out++ = low_byte(b << 4U | c >> 2U);
      *out++ = low_byte(c << 6U | d);
    }
  }
  return seen < sextet_limit && decode_rest(text, out);
}

}  // namespace oauth
