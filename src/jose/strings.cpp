#include "strings.h"

#include <algorithm>
#include <iterator>

namespace jose {
namespace {

// std::tolower() depends on the locale.
char to_lower(char c) noexcept {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

/// RFC 3629 section 4: the first byte of a sequence says its size and, where not every one is good, which second byte
/// may follow: no overlong form, no surrogate, nothing beyond U+10FFFF.
struct SequenceStart {
  unsigned char first;
  unsigned char last;
  unsigned char size;
  unsigned char lowest_second;
  unsigned char highest_second;
};

constexpr SequenceStart sequence_starts[] = {
    {0x00, 0x7F, 1, 0x80, 0xBF}, {0xC2, 0xDF, 2, 0x80, 0xBF}, {0xE0, 0xE0, 3, 0xA0, 0xBF},
    {0xE1, 0xEC, 3, 0x80, 0xBF}, {0xED, 0xED, 3, 0x80, 0x9F}, {0xEE, 0xEF, 3, 0x80, 0xBF},
    {0xF0, 0xF0, 4, 0x90, 0xBF}, {0xF1, 0xF3, 4, 0x80, 0xBF}, {0xF4, 0xF4, 4, 0x80, 0x8F}};

bool is_between(char c, unsigned char lowest, unsigned char highest) noexcept {
  const auto byte = static_cast<unsigned char>(c);
  return byte >= lowest && byte <= highest;
}

/// @return the bytes of the sequence at the beginning of a text that is not empty; 0 where it is none.
std::size_t utf8_sequence_size(std::string_view text) noexcept {
  const auto *start =
      std::find_if(std::begin(sequence_starts), std::end(sequence_starts),
                   [&](const SequenceStart &row) noexcept { return is_between(text[0], row.first, row.last); });
  if (start == std::end(sequence_starts) || text.size() < start->size ||
      (start->size > 1 && !is_between(text[1], start->lowest_second, start->highest_second))) {
    return 0;
  }
  const std::string_view rest = text.substr(0, start->size).substr(std::min<std::size_t>(2, start->size));
  return std::all_of(rest.begin(), rest.end(), [](char c) noexcept { return is_between(c, 0x80, 0xBF); }) ? start->size
                                                                                                          : 0;
}

}  // namespace

bool equal_ignoring_case(std::string_view one, std::string_view other) noexcept {
  return std::equal(one.begin(), one.end(), other.begin(), other.end(),
                    [](char a, char b) noexcept { return to_lower(a) == to_lower(b); });
}

bool is_utf8(std::string_view text) noexcept {
  while (!text.empty()) {
    const std::size_t size = utf8_sequence_size(text);
    if (size == 0) {
      return false;
    }
    text.remove_prefix(size);
  }
  return true;
}

bool has_control_character(std::string_view text) noexcept {
  return std::any_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte < 0x20 || byte == 0x7f;
  });
}

}  // namespace jose
