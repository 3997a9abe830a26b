#pragma once

#include <cstdint>
#include <string_view>

#include "../jose/json.h"
#include "../jose/strings.h"

namespace oauth {

enum class ScopeMatch : std::uint8_t { all, any };

/// Whether the token's scopes satisfy the required ones. A required scope that ends in `*` matches any scope with that
/// prefix. No required scope: satisfied.
/// @param granted the value of `scope` or `scp`: a string with spaces between scopes (RFC 6749 section 3.3) or an array
///   of strings; nullptr or any other kind grants nothing.
bool scopes_satisfied(jose::Strings required, ScopeMatch match, const jose::JsonValue *granted) noexcept;

/// Whether `scope` is a scope-token (RFC 6749 section 3.3).
bool is_scope_token(std::string_view scope) noexcept;

/// Whether `scope` may be required: a scope-token of RFC 6749 section 3.3, `*` only as the last character and not
/// alone.
bool is_required_scope(std::string_view scope) noexcept;

}  // namespace oauth
