#include "base64url.h"

#include <array>
#include <cstdint>

namespace jose {

namespace {

constexpr std::string_view alphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    "abcdefghijklmnopqrstuvwxyz"
    "0123456789-_";

/// The six bits that each character encodes, shifted to the character's place in the 24 bits of a group of four;
/// `invalid` for a character that is not of the alphabet.
using Table = std::array<std::uint32_t, 256>;

constexpr std::uint32_t invalid = 1U << 31U;

constexpr Table shifted_table(unsigned shift) noexcept {
  Table table{};
  for (std::uint32_t &bits : table) {
    bits = invalid;
  }
  for (std::size_t i = 0; i < alphabet.size(); ++i) {
    table[static_cast<unsigned char>(alphabet[i])] = static_cast<std::uint32_t>(i) << shift;
  }
  return table;
}

constexpr Table tables[] = {shifted_table(18), shifted_table(12), shifted_table(6), shifted_table(0)};

std::uint32_t bits_of(char c, std::size_t place) noexcept {
  return tables[place][static_cast<unsigned char>(c)];
}

void write_bytes(std::uint32_t group, std::size_t count, char *out) noexcept {
  for (std::size_t i = 0; i < count; ++i, group <<= 8U) {
    out[i] = static_cast<char>(group >> 16U & 0xFFU);
  }
}

/// @param text less than four characters.
/// @return the bits that it encodes, with the bit `invalid` set where it is not base64url.
std::uint32_t decode_rest(std::string_view text, char *out) noexcept {
  std::uint32_t group = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    group |= bits_of(text[i], i);
  }
  const std::size_t count = base64url_decoded_size(text.size());
  const std::uint32_t used = 0xFFFFFFU << (24U - 8U * count) & 0xFFFFFFU;
  if ((group & ~used) != 0) {
    return invalid;
  }
  if (out != nullptr) {
    write_bytes(group, count, out);
  }
  return group;
}

/// @tparam Out whether to write what is decoded to `out`, or only to check it.
template <bool Out>
bool decode(std::string_view text, char *out) noexcept {
  std::uint32_t seen = 0;  // all bits so far, checked once at the end: a check of each character doubles the time
  const char *at = text.data();
  for (std::size_t groups = text.size() / 4; groups != 0; --groups, at += 4) {
    const std::uint32_t group = bits_of(at[0], 0) | bits_of(at[1], 1) | bits_of(at[2], 2) | bits_of(at[3], 3);
    seen |= group;
    if (Out) {
      write_bytes(group, 3, out);
      out += 3;
    }
  }
  seen |= decode_rest(text.substr(text.size() / 4 * 4), out);
  return (seen & invalid) == 0;
}

}  // namespace

void base64url_encode(std::string_view bytes, char *out) noexcept {
  std::uint32_t group = 0;
  unsigned bits = 0;  // of the group that have no character yet
  for (const char byte : bytes) {
    group = group << 8U | static_cast<unsigned char>(byte);
    for (bits += 8; bits >= 6; bits -= 6) {
      *out++ = alphabet[group >> (bits - 6) & 0x3FU];
    }
  }
  if (bits != 0) {
    *out = alphabet[group << (6 - bits) & 0x3FU];
  }
}

bool base64url_decode(std::string_view text, char *out) noexcept {
  if (text.size() % 4 == 1) {
    return false;
  }
  return out == nullptr ? decode<false>(text, out) : decode<true>(text, out);
}

}  // namespace jose
