#pragma once

#include <cstddef>
#include <string_view>

namespace jose {

/// A list of strings that somebody else owns, in configuration order.
struct Strings {
  const std::string_view *items = nullptr;
  std::size_t count = 0;

  const std::string_view *begin() const noexcept { return items; }
  const std::string_view *end() const noexcept { return items + count; }
  bool empty() const noexcept { return count == 0; }
};

/// ASCII only, as the protocols compare scheme names and media types (RFC 9110 sections 8.3.1 and 11.1).
bool equal_ignoring_case(std::string_view one, std::string_view other) noexcept;

}  // namespace jose
