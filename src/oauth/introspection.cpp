#include "introspection.h"

namespace oauth {

namespace {

constexpr std::string_view envelope_type = "token-introspection+jwt";

TokenInformation bad_response(const char *problem) noexcept {
  return refused_response(Outcome::as_bad_response, problem);
}

TokenInformation inactive() noexcept {
  return refused_response(Outcome::inactive, nullptr);
}

// Only a string has that text, whatever the member's kind.
bool is_refresh_token(const jose::JsonValue &members) noexcept {
  const jose::JsonValue *token_type = members.member("token_type");
  return token_type != nullptr && jose::equal_ignoring_case(token_type->text, "refresh_token");
}

/// By its `typ` (RFC 9701 section 5), or by the claim that nothing else has: what that says of the token counts, not
/// the JWT around it.
bool is_envelope(const jose::Jwt &jwt) noexcept {
  return jose::has_type(jwt, envelope_type) || jwt.claims->member("token_introspection") != nullptr;
}

/// @param members see TokenInformation.
TokenInformation accept(const jose::Jwt &jwt, const jose::JsonValue *members) noexcept {
  if (is_envelope(jwt)) {
    return bad_response("the JWT to forward is itself an introspection response");
  }
  const jose::JsonValue *active = jwt.claims->member_or_null("active");
  if (active != nullptr && active->kind != jose::JsonKind::boolean) {
    return bad_response("the claim active is no boolean");
  }
  if ((active != nullptr && active->is_false()) || is_refresh_token(*jwt.claims) ||
      (members != nullptr && is_refresh_token(*members))) {
    return inactive();
  }

  TokenInformation result;
  result.outcome = Outcome::active;
  result.jwt = jwt;
  result.members = members;
  result.checked_claims = gather_checked_claims(*jwt.claims, members, nullptr);
  return result;
}

const jose::JsonValue *first_present(const jose::JsonValue &members, jose::Strings names) noexcept {
  for (const std::string_view name : names) {
    if (const jose::JsonValue *member = members.member(name)) {
      return member;
    }
  }
  return nullptr;
}

TokenInformation read_members(const jose::JsonValue &members, jose::Strings jwt_members,
                              jose::Memory &memory) noexcept {
  const jose::JsonValue *active = members.member_or_null("active");
  if (active == nullptr || active->kind != jose::JsonKind::boolean) {
    return bad_response("the response does not say whether the token is active");
  }
  if (active->is_false() || is_refresh_token(members)) {
    return inactive();
  }

  const jose::JsonValue *member = first_present(members, jwt_members);
  if (member == nullptr) {
    return bad_response("the token is active, but the response holds no JWT, so there is nothing to forward");
  }
  if (member->kind != jose::JsonKind::string) {
    return bad_response("the member that should hold the JWT is no string");
  }
  return accept_jwt(member->text, &members, memory);
}

TokenInformation read_json(const Response &response, jose::Strings jwt_members, jose::Memory &memory) noexcept {
  const char *problem = nullptr;
  const jose::JsonValue *members = jose::parse_json(response.body, response.body_size, memory, problem);
  if (members == nullptr) {
    return bad_response(problem);
  }
  if (members->kind != jose::JsonKind::object) {
    return bad_response("the response is no JSON object");
  }
  return read_members(*members, jwt_members, memory);
}

// RFC 9701 section 5
TokenInformation read_envelope(const jose::JsonValue &claims, jose::Strings jwt_members,
                               jose::Memory &memory) noexcept {
  const jose::JsonValue *members = claims.member("token_introspection");
  if (members == nullptr || members->kind != jose::JsonKind::object) {
    return bad_response("the claim token_introspection is absent or no JSON object");
  }
  TokenInformation result = read_members(*members, jwt_members, memory);
  if (result.outcome == Outcome::active) {
    result.checked_claims = gather_checked_claims(*result.jwt.claims, members, &claims);
  }
  return result;
}

TokenInformation read_jwt(const Response &response, bool must_be_envelope, jose::Strings jwt_members,
                          jose::Memory &memory) noexcept {
  jose::Jwt jwt;
  const char *problem = nullptr;
  if (!jose::parse_jwt({response.body, response.body_size}, memory, jwt, problem)) {
    return bad_response(problem);
  }
  if (jose::has_type(jwt, envelope_type)) {
    return read_envelope(*jwt.claims, jwt_members, memory);
  }
  if (must_be_envelope) {
    return bad_response("the response is announced as token-introspection+jwt, but its typ is another");
  }
  return accept(jwt, nullptr);
}

TokenInformation read_body(const Response &response, jose::Strings jwt_members, jose::Memory &memory) noexcept {
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

/// A refusal with what the server says of its error.
TokenInformation explained(const Response &response, Outcome outcome, const char *problem,
                           jose::Memory &memory) noexcept {
  TokenInformation result = refused_response(outcome, problem);
  if (response.body_size != 0 && explain_unreadable(response) == nullptr &&
      has_media_type(response, "application/json")) {
    const char *unreadable = nullptr;
    const jose::JsonValue *error = jose::parse_json(response.body, response.body_size, memory, unreadable);
    result.server_message = error == nullptr ? std::string_view() : server_message(*error);
  }
  return result;
}

}  // namespace

TokenInformation refused_response(Outcome outcome, const char *problem) noexcept {
  TokenInformation result;
  result.outcome = outcome;
  result.problem = problem;
  return result;
}

std::string_view server_message(const jose::JsonValue &error) noexcept {
  for (const std::string_view name : {"error_description", "error"}) {
    const jose::JsonValue *member = error.member(name);
    if (member != nullptr && member->kind == jose::JsonKind::string && !member->text.empty()) {
      return member->text;
    }
  }
  return {};
}

TokenInformation refused_by_status(const Response &response, jose::Memory &memory) noexcept {
  const Verdict status = failure(response);
  return explained(response, status.outcome, status.problem, memory);
}

bool is_inactive_by_status(const Response &response, const InactiveStatuses &statuses) noexcept {
  return response.answered && statuses.has(response.status);
}

TokenInformation inactive_by_status(const Response &response, jose::Memory &memory) noexcept {
  return explained(response, Outcome::inactive, "its status is one of phantom_token_inactive_status", memory);
}

TokenInformation accept_jwt(std::string_view compact, const jose::JsonValue *members, jose::Memory &memory) noexcept {
  jose::Jwt jwt;
  const char *problem = nullptr;
  return jose::parse_jwt(compact, memory, jwt, problem) ? accept(jwt, members) : bad_response(problem);
}

TokenInformation read_introspection(const Response &response, jose::Strings jwt_members,
                                    jose::Memory &memory) noexcept {
  if (response.status == 200) {
    return read_body(response, jwt_members, memory);
  }
  if (response.status == 204) {
    return inactive();
  }
  return refused_by_status(response, memory);
}

}  // namespace oauth
