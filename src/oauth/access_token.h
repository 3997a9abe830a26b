#pragma once

#include "../jose/jwt.h"

namespace oauth {

/// @param jwt a JWT that a client sends as its access token.
/// @return whether its `typ` is absent, `JWT` or `at+jwt` (RFC 9068 section 4). Any other belongs to another kind of
///   JWT, such as a logout token, which must not be taken for an access token.
bool is_access_token_type(const jose::Jwt &jwt) noexcept;

}  // namespace oauth
