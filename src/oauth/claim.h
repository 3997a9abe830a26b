#pragma once

#include <cstddef>
#include <string_view>

#include "../jose/json.h"
#include "../jose/memory.h"
#include "../jose/strings.h"

namespace oauth {

/// The claims that have the name of a variable. In that name, letters are in lower case, and every character outside
/// `a-z0-9_` is a `_`; so that two claims may have the same.
struct ClaimMatch {
  const jose::JsonValue *claim = nullptr;  ///< the first that matches
  std::size_t count = 0;                   ///< how many do
};

/// Finds the claims of an object by the name of a variable. A claim that is `null` counts as absent.
/// @param object the claims; nullptr where there are none.
ClaimMatch find_claim(const jose::JsonValue *object, std::string_view variable_name) noexcept;

/// Finds a claim inside of others: each name but the last is that of an object.
/// @param object the claims; nullptr where there are none.
/// @param path exact names, at least one.
/// @return nullptr where it is not there, or `null`.
const jose::JsonValue *find_claim_at(const jose::JsonValue *object, jose::Strings path) noexcept;

/// Turns the value of a claim into text: a string unescaped, a number or boolean as written, an array of strings joined
/// by spaces. Any other value, and one with control characters, becomes an empty text.
/// @param text set where the result is true.
/// @return false where there is no memory.
bool claim_text(const jose::JsonValue &claim, jose::Memory &memory, std::string_view &text) noexcept;

}  // namespace oauth
