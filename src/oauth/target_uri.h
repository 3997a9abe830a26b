#pragma once

#include <string_view>

#include "../jose/memory.h"

namespace oauth {

/// Compares two http or https URIs without query and fragment, as RFC 9449 section 4.3 asks for: after the
/// normalisation of RFC 3986 sections 6.2.2 and 6.2.3.
/// @return whether they are the same. False where one of them is no such URI, has user information (RFC 9110 section
///   4.2.4), has a host that is not ASCII, or has dot segments beside `//` or `%2F`, of which servers make different
///   paths; or where there is no memory.
bool is_same_target(std::string_view one, std::string_view other, jose::Memory &memory) noexcept;

/// @return whether the text is an http or https URI that is_same_target() can compare.
bool is_target_uri(std::string_view text) noexcept;

}  // namespace oauth
