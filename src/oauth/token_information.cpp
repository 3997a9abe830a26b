#include "token_information.h"

#include "../jose/strings.h"

namespace oauth {
namespace {

/// By its `typ` (RFC 9701 section 5), or by a claim that no other JWT has. The token is described inside it, so that
/// the JWT itself must not be forwarded.
bool is_introspection_response(const jose::Jwt &jwt) noexcept {
  return jose::has_type(jwt, introspection_response_type) || jwt.claims->member("token_introspection") != nullptr;
}

}  // namespace

TokenInformation refused_response(Outcome outcome, const char *problem) noexcept {
  TokenInformation information;
  information.outcome = outcome;
  information.problem = problem;
  return information;
}

TokenInformation bad_response(const char *problem) noexcept {
  return refused_response(Outcome::as_bad_response, problem);
}

TokenInformation inactive_token() noexcept {
  return refused_response(Outcome::inactive, nullptr);
}

// RFC 7662 has the kind of a token in "token_type" or nowhere. Ory Hydra calls every token a bearer token there, and
// says in "token_use" which of them is a refresh token.
bool is_refresh_token(const jose::JsonValue &claims) noexcept {
  for (const char *name : {"token_type", "token_use"}) {
    const jose::JsonValue *kind = claims.member(name);
    if (kind != nullptr && kind->kind == jose::JsonKind::string &&
        jose::equal_ignoring_case(kind->text, "refresh_token")) {
      return true;
    }
  }
  return false;
}

TokenInformation accept_jwt(const jose::Jwt &jwt, const jose::JsonValue *members) noexcept {
  if (is_introspection_response(jwt)) {
    return bad_response("the JWT to forward is itself an introspection response");
  }
  const jose::JsonValue *active = jwt.claims->member_or_null("active");
  if (active != nullptr && active->kind != jose::JsonKind::boolean) {
    return bad_response("the claim active is not a boolean");
  }
  if ((active != nullptr && active->is_false()) || is_refresh_token(*jwt.claims) ||
      (members != nullptr && is_refresh_token(*members))) {
    return inactive_token();
  }

  TokenInformation information;
  information.outcome = Outcome::active;
  information.jwt = jwt;
  information.members = members;
  information.checked_claims = gather_checked_claims(jwt.claims, members, nullptr);
  return information;
}

TokenInformation accept_jwt(std::string_view compact, const jose::JsonValue *members, jose::Memory &memory) noexcept {
  jose::Jwt jwt;
  const char *problem = nullptr;
  return jose::parse_jwt(compact, memory, jwt, problem) ? accept_jwt(jwt, members) : bad_response(problem);
}

TokenInformation accept_members(const jose::JsonValue &members) noexcept {
  TokenInformation information;
  information.outcome = Outcome::active;
  information.members = &members;
  information.checked_claims = gather_checked_claims(nullptr, &members, nullptr);
  return information;
}

}  // namespace oauth
