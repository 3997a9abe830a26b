#pragma once

#include "../jose/json.h"
#include "../jose/strings.h"

namespace oauth {

/// @return whether the value is a string, and one of these.
bool is_one_of(const jose::JsonValue &value, jose::Strings allowed) noexcept;

/// The same for an `aud` (RFC 7519 section 4.1.3), which is a string or an array of strings.
bool contains_one_of(const jose::JsonValue &value, jose::Strings allowed) noexcept;

}  // namespace oauth
