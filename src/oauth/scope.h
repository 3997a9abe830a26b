#pragma once

#include <cstdint>
#include <string_view>

#include "../jose/json.h"
#include "../jose/strings.h"

namespace oauth {

enum class ScopeMatch : std::uint8_t { all, any };

/// @return whether the token has all required scopes, or any of them. A required scope that ends in `*` stands for
///   every scope that begins with what is before the `*`. Where no scope is required, every token satisfies.
/// @param granted the value of `scope` or `scp`: a string with spaces between scopes (RFC 6749 section 3.3) or an array
///   of strings; nullptr or any other kind grants nothing.
bool scopes_satisfied(jose::Strings required, ScopeMatch match, const jose::JsonValue *granted) noexcept;

/// @return whether `scope` is a scope-token (RFC 6749 section 3.3).
bool is_scope_token(std::string_view scope) noexcept;

/// @return whether `scope` may be required: a scope-token in which `*` is only the last character, and not the only
///   one.
bool is_required_scope(std::string_view scope) noexcept;

}  // namespace oauth
