#pragma once

#include <cstddef>
#include <string_view>

#include "jwt.h"
#include "memory.h"
#include "outcome.h"
#include "strings.h"

namespace oauth {

/// What came back from the introspection endpoint (RFC 7662), before anybody has looked into it.
struct IntrospectionResponse {
  unsigned status = 0;                ///< HTTP status
  std::string_view content_type;      ///< with parameters, as sent
  std::string_view content_encoding;  ///< empty where there was none
  bool complete = false;              ///< the body arrived whole
  bool too_large = false;             ///< the body is longer than phantom_token_max_response_size
  char *body = nullptr;               ///< rewritten while it is read; body[body_size] must be writable
  std::size_t body_size = 0;          ///< bytes
};

/// What the response says of the token. The claims are not checked yet: see decide().
struct Introspection {
  /// active, inactive, or the as_* word for what is wrong with the authorization server or its response.
  Outcome outcome = Outcome::internal_error;
  /// A constant that says what is wrong, fit for a log line; nullptr where nothing is.
  const char *problem = nullptr;
  /// What may be forwarded. Set only where outcome is active.
  Jwt jwt;
  /// The members of the JSON response or of `token_introspection` (RFC 9701); nullptr for a bare JWT.
  const JsonValue *members = nullptr;
  /// The claims of the RFC 9701 envelope, whose `exp` and `nbf` must hold too; nullptr where there is none.
  const JsonValue *envelope = nullptr;
};

/// Reads a response by the contract's table "What the AS may answer". Whatever the table does not name is refused.
/// `active` is looked at before anything else in a JSON response.
/// @param jwt_members names of the members that may hold the JWT, in order of preference.
/// @param memory where parsed values are put; the result points into it and into response.body.
Introspection read_introspection(const IntrospectionResponse &response, Strings jwt_members, Memory &memory) noexcept;

}  // namespace oauth
