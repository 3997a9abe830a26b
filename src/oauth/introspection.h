#pragma once

#include "../jose/memory.h"
#include "../jose/strings.h"
#include "response.h"
#include "token_information.h"

namespace oauth {

/// Where the JWT may be in a response, and whether there must be one.
struct JwtMembers {
  jose::Strings names;    ///< of the members that may hold it, in order of preference
  bool is_needed = true;  ///< there is nothing to forward without it
};

/// Reads a response of the introspection endpoint (RFC 7662 section 2.2, RFC 9701 section 5): a JWT, a JSON object with
/// a JWT among its members, or a JWT with such an object. What is none of these is refused, and an inactive token is
/// inactive whatever else the response holds.
/// @param response its body is rewritten.
/// @param memory where parsed values are put; the result points into it and into response.body.
TokenInformation read_introspection(Response &response, const JwtMembers &jwt_members, jose::Memory &memory) noexcept;

/// The problem of an active token without the JWT that is needed.
extern const char *const no_jwt_in_response;

}  // namespace oauth
