#pragma once

#include <string_view>

#include "../jose/json.h"
#include "../jose/jwt.h"
#include "../jose/memory.h"
#include "checked_claims.h"
#include "outcome.h"

namespace oauth {

/// What is known of a token: from the introspection endpoint (RFC 7662), from a token exchange (RFC 8693), or from the
/// client's own JWT. Its claims are not checked yet: see decide().
struct TokenInformation {
  /// active, inactive, or the as_* word for what is wrong with the authorization server or its response.
  Outcome outcome = Outcome::internal_error;
  /// A constant that says what is wrong, fit for a log line; nullptr where nothing is.
  const char *problem = nullptr;
  /// The JWT that the token stands for. Set only where outcome is active; its `compact` is empty where the response has
  /// none, and needs none.
  jose::Jwt jwt;
  /// The members of the JSON response, or of `token_introspection` (RFC 9701); nullptr where there is only a JWT.
  const jose::JsonValue *members = nullptr;
  /// The claims that decide() checks, from all of these; gathered where outcome is active.
  CheckedClaims checked_claims;
  /// The members in their packed form, after unpack() and before read_all(); empty otherwise.
  std::string_view packed_members;
  /// The claims by which the token may have been revoked, in their packed form, after unpack(); empty otherwise.
  std::string_view packed_revocable_claims;
  /// What the server itself said of an error; empty where it said nothing. Not fit for a log line as it is.
  std::string_view server_message;
};

/// @return what is known of a token whose response was refused: nothing but why.
TokenInformation refused_response(Outcome outcome, const char *problem) noexcept;

/// @return refused_response() for a response that is not what its endpoint may send.
TokenInformation bad_response(const char *problem) noexcept;

/// @return what is known of a token that is not active, where the server said nothing else.
TokenInformation inactive_token() noexcept;

/// @param claims a JWT's claims or a JSON response's members.
/// @return whether they say by `token_type` that the token is a refresh token.
bool is_refresh_token(const jose::JsonValue &claims) noexcept;

/// Reads the JWT of a response that says that the token is active. The token is inactive all the same where the JWT
/// says so or is a refresh token.
/// @param members see TokenInformation::members.
TokenInformation accept_jwt(const jose::Jwt &jwt, const jose::JsonValue *members) noexcept;
TokenInformation accept_jwt(std::string_view compact, const jose::JsonValue *members, jose::Memory &memory) noexcept;

/// The same for a response that holds no JWT, and whose members are all that is known.
TokenInformation accept_members(const jose::JsonValue &members) noexcept;

/// The `typ` of an introspection response that is a JWT (RFC 9701 section 5), without `application/`.
constexpr std::string_view introspection_response_type = "token-introspection+jwt";

}  // namespace oauth
