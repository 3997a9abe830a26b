#include "introspection.h"

namespace oauth {

namespace {

constexpr std::string_view envelope_type = "token-introspection+jwt";

Introspection refusal(Outcome outcome, const char *problem) noexcept {
  Introspection result;
  result.outcome = outcome;
  result.problem = problem;
  return result;
}

Introspection bad_response(const char *problem) noexcept {
  return refusal(Outcome::as_bad_response, problem);
}

Introspection inactive() noexcept {
  return refusal(Outcome::inactive, nullptr);
}

// Only a string has that text, whatever the member's kind.
bool is_refresh_token(const JsonValue &members) noexcept {
  const JsonValue *token_type = members.member("token_type");
  return token_type != nullptr && equal_ignoring_case(token_type->text, "refresh_token");
}

/// @param members see Introspection.
Introspection accept(const Jwt &jwt, const JsonValue *members) noexcept {
  if (has_type(jwt, envelope_type)) {
    return bad_response("the JWT to forward is itself an introspection response");
  }
  const JsonValue *active = jwt.claims->member("active");
  if (active != nullptr && active->kind != JsonKind::boolean) {
    return bad_response("the claim active is no boolean");
  }
  if ((active != nullptr && active->is_false()) || is_refresh_token(*jwt.claims)) {
    return inactive();
  }

  Introspection result;
  result.outcome = Outcome::active;
  result.jwt = jwt;
  result.members = members;
  return result;
}

const JsonValue *first_present(const JsonValue &members, Strings names) noexcept {
  for (const std::string_view name : names) {
    if (const JsonValue *member = members.member(name)) {
      return member;
    }
  }
  return nullptr;
}

Introspection read_members(const JsonValue &members, Strings jwt_members, Memory &memory) noexcept {
  const JsonValue *active = members.member("active");
  if (active == nullptr || active->kind != JsonKind::boolean) {
    return bad_response("the response does not say whether the token is active");
  }
  if (active->is_false() || is_refresh_token(members)) {
    return inactive();
  }

  const JsonValue *member = first_present(members, jwt_members);
  if (member == nullptr) {
    return bad_response("the token is active, but the response holds no JWT, so there is nothing to forward");
  }
  if (member->kind != JsonKind::string) {
    return bad_response("the member that should hold the JWT is no string");
  }
  Jwt jwt;
  const char *problem = nullptr;
  return parse_jwt(member->text, memory, jwt, problem) ? accept(jwt, &members) : bad_response(problem);
}

Introspection read_json(const IntrospectionResponse &response, Strings jwt_members, Memory &memory) noexcept {
  const char *problem = nullptr;
  const JsonValue *members = parse_json(response.body, response.body_size, memory, problem);
  if (members == nullptr) {
    return bad_response(problem);
  }
  if (members->kind != JsonKind::object) {
    return bad_response("the response is no JSON object");
  }
  return read_members(*members, jwt_members, memory);
}

// RFC 9701 section 5
Introspection read_envelope(const JsonValue &claims, Strings jwt_members, Memory &memory) noexcept {
  const JsonValue *members = claims.member("token_introspection");
  if (members == nullptr || members->kind != JsonKind::object) {
    return bad_response("the claim token_introspection is absent or no JSON object");
  }
  Introspection result = read_members(*members, jwt_members, memory);
  result.envelope = &claims;
  return result;
}

Introspection read_jwt(const IntrospectionResponse &response, bool must_be_envelope, Strings jwt_members,
                       Memory &memory) noexcept {
  Jwt jwt;
  const char *problem = nullptr;
  if (!parse_jwt({response.body, response.body_size}, memory, jwt, problem)) {
    return bad_response(problem);
  }
  if (has_type(jwt, envelope_type)) {
    return read_envelope(*jwt.claims, jwt_members, memory);
  }
  if (must_be_envelope) {
    return bad_response("the response is announced as token-introspection+jwt, but its typ is another");
  }
  return accept(jwt, nullptr);
}

std::string_view media_type(std::string_view content_type) noexcept {
  const std::string_view type = content_type.substr(0, content_type.find(';'));
  return type.substr(0, type.find_last_not_of(" \t") + 1);
}

const char *explain_unreadable(const IntrospectionResponse &response) noexcept {
  if (response.too_large) {
    return "the response is larger than phantom_token_max_response_size";
  }
  if (!response.complete) {
    return "the response was cut short";
  }
  if (!response.content_encoding.empty() && !equal_ignoring_case(response.content_encoding, "identity")) {
    return "the response has a Content-Encoding";
  }
  return nullptr;
}

Introspection read_body(const IntrospectionResponse &response, Strings jwt_members, Memory &memory) noexcept {
  if (const char *problem = explain_unreadable(response)) {
    return bad_response(problem);
  }
  const std::string_view type = media_type(response.content_type);
  if (equal_ignoring_case(type, "application/jwt")) {
    return read_jwt(response, false, jwt_members, memory);
  }
  if (equal_ignoring_case(type, "application/json")) {
    return read_json(response, jwt_members, memory);
  }
  if (equal_ignoring_case(type, "application/token-introspection+jwt")) {
    return read_jwt(response, true, jwt_members, memory);
  }
  return bad_response("the Content-Type is neither application/jwt nor application/json");
}

}  // namespace

Introspection read_introspection(const IntrospectionResponse &response, Strings jwt_members, Memory &memory) noexcept {
  switch (response.status) {
    case 200:
      return read_body(response, jwt_members, memory);
    case 204:
      return inactive();
    case 401:
    case 403:
      return refusal(Outcome::as_refused_client, "the authorization server refuses the gateway's own credentials");
    case 429:
    case 503:
      return refusal(Outcome::as_busy, "the authorization server is busy");
    case 504:
      return refusal(Outcome::as_timeout, "the authorization server did not answer in time");
    default:
      return response.status < 300 ? bad_response("the status of the response is none that introspection knows")
                                   : refusal(Outcome::as_error, "the authorization server answered with an error");
  }
}

}  // namespace oauth
