#pragma once

#include <cstddef>
#include <string_view>

namespace jose {

/// A view of a list of strings, in the order of the configuration.
struct Strings {
  const std::string_view *items = nullptr;
  std::size_t count = 0;

  const std::string_view *begin() const noexcept { return items; }
  const std::string_view *end() const noexcept { return items + count; }
  bool empty() const noexcept { return count == 0; }
};

/// Compares without regard to the case of ASCII letters, as HTTP compares schemes and media types (RFC 9110 sections
/// 8.3.1 and 11.1).
bool equal_ignoring_case(std::string_view one, std::string_view other) noexcept;

/// Whether the text has C0 control characters or DEL.
bool has_control_character(std::string_view text) noexcept;

/// Whether the text is UTF-8 (RFC 3629): nothing else may stand in JSON.
bool is_utf8(std::string_view text) noexcept;

}  // namespace jose
