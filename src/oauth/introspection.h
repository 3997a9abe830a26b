#pragma once

#include <cstddef>
#include <string_view>

#include "../jose/jwt.h"
#include "../jose/memory.h"
#include "../jose/strings.h"
#include "checked_claims.h"
#include "outcome.h"
#include "response.h"

namespace oauth {

/// What a response of the introspection endpoint (RFC 7662) or of a token exchange says of the token. The claims are
/// not checked yet: see decide().
struct TokenInformation {
  /// active, inactive, or the as_* word for what is wrong with the authorization server or its response.
  Outcome outcome = Outcome::internal_error;
  /// A constant that says what is wrong, fit for a log line; nullptr where nothing is.
  const char *problem = nullptr;
  /// What may be forwarded. Set only where outcome is active.
  jose::Jwt jwt;
  /// The members of the JSON response or of `token_introspection` (RFC 9701); nullptr for a bare JWT.
  const jose::JsonValue *members = nullptr;
  /// What decide() asks of all these; gathered where outcome is active.
  CheckedClaims checked_claims;
  /// The members of an answer that has been unpacked, as they were packed: see read_all().
  std::string_view packed_members;
  /// What the server itself said of an error; empty where it said nothing. Not fit for a log line as it is.
  std::string_view server_message;
};

/// @return a refusal of the response.
TokenInformation refused_response(Outcome outcome, const char *problem) noexcept;

/// @return a refusal by the response's status, with what the server says of its error (RFC 6749 section 5.2) where it
///   does.
TokenInformation refused_by_status(const Response &response, jose::Memory &memory) noexcept;

/// @return `error_description`, else `error`, of a JSON object; empty where it has neither.
std::string_view server_message(const jose::JsonValue &error) noexcept;

/// Accepts the JWT of a response that says the token is active, unless the JWT itself or its kind speak against it.
/// @param members see TokenInformation::members.
TokenInformation accept_jwt(std::string_view compact, const jose::JsonValue *members, jose::Memory &memory) noexcept;

/// @return whether the response's status says that the token is inactive, whatever else it says. nginx's own status,
/// where
///   the server gave none, does not.
bool is_inactive_by_status(const Response &response, const InactiveStatuses &statuses) noexcept;

/// @return the token is inactive, with what the server says of its error: where it has refused the gateway itself by
/// the
///   same status, the log tells.
TokenInformation inactive_by_status(const Response &response, jose::Memory &memory) noexcept;

/// Reads a response by the contract's table "What the AS may answer". Whatever the table does not name is refused.
/// `active` is looked at before anything else in a JSON response.
/// @param jwt_members names of the members that may hold the JWT, in order of preference.
/// @param memory where parsed values are put; the result points into it and into response.body.
TokenInformation read_introspection(const Response &response, jose::Strings jwt_members, jose::Memory &memory) noexcept;

}  // namespace oauth
