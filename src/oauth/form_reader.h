#pragma once

#include <cstddef>
#include <string_view>

#include "../jose/memory.h"

namespace oauth {

/// One parameter of a form, decoded.
struct FormParameter {
  std::string_view name;
  std::string_view value;
  const FormParameter *next = nullptr;
};

struct FormResult {
  const FormParameter *first = nullptr;  ///< nullptr where the form is empty
  const char *problem = nullptr;         ///< a constant that says why it is refused; nullptr where it is not
};

/// More than any form of ours has. The search for a name that stands there twice takes as long as the square of it.
constexpr std::size_t most_form_parameters = 32;

/// Reads application/x-www-form-urlencoded. It refuses a `%` without two hexadecimal digits behind it, a parameter
/// without a name, a name that stands there twice (RFC 6749 section 3.2), and more than most_form_parameters.
/// @param body must live as long as the result; what is not encoded is a view into it.
/// @param memory where the rest is put. Where it runs out, the problem says so.
FormResult read_form(std::string_view body, jose::Memory &memory) noexcept;

}  // namespace oauth
