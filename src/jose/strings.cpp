#include "strings.h"

#include <algorithm>

namespace jose {

namespace {

// std::tolower() depends on the locale.
char to_lower(char c) noexcept {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

}  // namespace

bool equal_ignoring_case(std::string_view one, std::string_view other) noexcept {
  return std::equal(one.begin(), one.end(), other.begin(), other.end(),
                    [](char a, char b) noexcept { return to_lower(a) == to_lower(b); });
}

}  // namespace jose
