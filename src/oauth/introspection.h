#pragma once

#include "../jose/memory.h"
#include "../jose/strings.h"
#include "response.h"
#include "token_information.h"

namespace oauth {

/// Reads a response of the introspection endpoint (RFC 7662 section 2.2, RFC 9701 section 5): a JWT, a JSON object with
/// a JWT among its members, or a JWT with such an object. What is none of these is refused, and an inactive token is
/// inactive whatever else the response holds.
/// @param response its body is rewritten.
/// @param jwt_members names of the members that may hold the JWT, in order of preference.
/// @param memory where parsed values are put; the result points into it and into response.body.
TokenInformation read_introspection(Response &response, jose::Strings jwt_members, jose::Memory &memory) noexcept;

}  // namespace oauth
