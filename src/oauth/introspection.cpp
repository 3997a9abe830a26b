#include "introspection.h"

#include "error_response.h"

namespace oauth {

const char *const no_jwt_in_response =
    "the token is active, but the response holds no JWT, so there is nothing to forward";

namespace {

const jose::JsonValue *first_present(const jose::JsonValue &members, jose::Strings names) noexcept {
  for (const std::string_view name : names) {
    if (const jose::JsonValue *member = members.member(name)) {
      return member;
    }
  }
  return nullptr;
}

TokenInformation read_members(const jose::JsonValue &members, const JwtMembers &jwt_members,
                              jose::Memory &memory) noexcept {
  const jose::JsonValue *active = members.member_or_null("active");
  if (active == nullptr || active->kind != jose::JsonKind::boolean) {
    return bad_response("the response does not say whether the token is active");
  }
  if (active->is_false() || is_refresh_token(members)) {
    return inactive_token();
  }

  const jose::JsonValue *member = first_present(members, jwt_members.names);
  if (member == nullptr) {
    return jwt_members.is_needed ? bad_response(no_jwt_in_response) : accept_members(members);
  }
  if (member->kind != jose::JsonKind::string) {
    return bad_response("the member that should hold the JWT is not a string");
  }
  return accept_jwt(member->text, &members, memory);
}

TokenInformation read_json(Response &response, const JwtMembers &jwt_members, jose::Memory &memory) noexcept {
  const char *problem = nullptr;
  const jose::JsonValue *members = jose::parse_json(response.body, response.body_size, memory, problem);
  if (members == nullptr) {
    return bad_response(problem);
  }
  if (members->kind != jose::JsonKind::object) {
    return bad_response("the response is not a JSON object");
  }
  return read_members(*members, jwt_members, memory);
}

// RFC 9701 section 5
TokenInformation read_envelope(const jose::JsonValue &claims, const JwtMembers &jwt_members,
                               jose::Memory &memory) noexcept {
  const jose::JsonValue *members = claims.member("token_introspection");
  if (members == nullptr || members->kind != jose::JsonKind::object) {
    return bad_response("the claim token_introspection is absent or not a JSON object");
  }
  TokenInformation information = read_members(*members, jwt_members, memory);
  if (information.outcome == Outcome::active) {
    information.checked_claims = gather_checked_claims(information.jwt.claims, members, &claims);
  }
  return information;
}

TokenInformation read_jwt(const Response &response, bool must_be_envelope, const JwtMembers &jwt_members,
                          jose::Memory &memory) noexcept {
  jose::Jwt jwt;
  const char *problem = nullptr;
  if (!jose::parse_jwt({response.body, response.body_size}, memory, jwt, problem)) {
    return bad_response(problem);
  }
  if (jose::has_type(jwt, introspection_response_type)) {
    return read_envelope(*jwt.claims, jwt_members, memory);
  }
  if (must_be_envelope) {
    return bad_response("the Content-Type is application/token-introspection+jwt, but the JWT has another typ");
  }
  return accept_jwt(jwt, nullptr);
}

TokenInformation read_body(Response &response, const JwtMembers &jwt_members, jose::Memory &memory) noexcept {
  if (const char *problem = explain_unreadable(response)) {
    return bad_response(problem);
  }
  if (has_media_type(response, "application/jwt")) {
    return read_jwt(response, false, jwt_members, memory);
  }
  if (has_media_type(response, "application/json")) {
    return read_json(response, jwt_members, memory);
  }
  if (has_media_type(response, "application/token-introspection+jwt")) {
    return read_jwt(response, true, jwt_members, memory);
  }
  return bad_response("the Content-Type is neither application/jwt nor application/json");
}

}  // namespace

TokenInformation read_introspection(Response &response, const JwtMembers &jwt_members, jose::Memory &memory) noexcept {
  if (response.status == 200) {
    return read_body(response, jwt_members, memory);
  }
  if (response.status == 204) {
    return inactive_token();
  }
  return refused_by_status(response, memory);
}

}  // namespace oauth
