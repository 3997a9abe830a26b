#pragma once

#include <cstddef>
#include <string_view>

#include "../jose/json.h"
#include "../jose/memory.h"

namespace oauth {

/// What a name as nginx's variables have it stands for: lower case, and `_` for every character outside `a-z0-9_`.
struct ClaimMatch {
  const jose::JsonValue *claim = nullptr;  ///< the first that matches
  std::size_t count = 0;                   ///< how many do
};

/// A claim that is `null` counts as absent.
/// @param object may be nullptr.
ClaimMatch find_claim(const jose::JsonValue *object, std::string_view variable_name) noexcept;

/// The value of a claim as text: strings unescaped, numbers and booleans as written, arrays of strings joined by
/// spaces.
/// @param text set, to an empty view for every other kind and for a value with control characters, where the result is
///   true.
/// @return false where there is no memory.
bool claim_text(const jose::JsonValue &claim, jose::Memory &memory, std::string_view &text) noexcept;

}  // namespace oauth
