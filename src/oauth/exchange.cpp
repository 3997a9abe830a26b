#include "exchange.h"

#include "error_response.h"
#include "form.h"

namespace oauth {
namespace {

constexpr std::string_view access_token_type = "urn:ietf:params:oauth:token-type:access_token";
constexpr std::string_view jwt_type = "urn:ietf:params:oauth:token-type:jwt";

void put_parameter(jose::Writer &writer, std::string_view name, std::string_view value) noexcept {
  writer.put('&');
  writer.put(name);
  writer.put('=');
  put_form_encoded(writer, value);
}

/// @return the response's JSON object; nullptr, with `problem` set, where it has none.
const jose::JsonValue *read_object(Response &response, jose::Memory &memory, const char *&problem) noexcept {
  problem = explain_unreadable(response);
  if (problem != nullptr) {
    return nullptr;
  }
  if (!has_media_type(response, "application/json")) {
    problem = "the Content-Type is not application/json";
    return nullptr;
  }
  const jose::JsonValue *object = jose::parse_json(response.body, response.body_size, memory, problem);
  if (object != nullptr && object->kind != jose::JsonKind::object) {
    problem = "the response is not a JSON object";
    return nullptr;
  }
  return object;
}

std::string_view string_member(const jose::JsonValue &object, std::string_view name) noexcept {
  const jose::JsonValue *member = object.member(name);
  return member != nullptr && member->kind == jose::JsonKind::string ? member->text : std::string_view();
}

/// @return whether a token of this `issued_token_type` (RFC 8693 section 2.2.1) may be a JWT: one of the requested
///   type, of the type for JWTs, or of the type for access tokens.
bool is_type_of_jwt(const jose::JsonValue &issued, std::string_view requested) noexcept {
  return issued.kind == jose::JsonKind::string && !issued.text.empty() &&
         (issued.text == requested || issued.text == jwt_type || issued.text == access_token_type);
}

TokenInformation read_success(Response &response, std::string_view requested_token_type,
                              jose::Memory &memory) noexcept {
  const char *problem = nullptr;
  const jose::JsonValue *members = read_object(response, memory, problem);
  if (members == nullptr) {
    return bad_response(problem);
  }
  const jose::JsonValue *issued = members->member("issued_token_type");
  if (issued != nullptr && !is_type_of_jwt(*issued, requested_token_type)) {
    return bad_response("the issued_token_type is not the one that was asked for");
  }
  const std::string_view token = string_member(*members, "access_token");
  if (token.empty()) {
    return bad_response("the response holds no access_token");
  }
  return accept_jwt(token, members, memory);
}

/// Reads an error response. By RFC 8693 section 2.2.2 `invalid_request` says that the client's token is not valid; some
/// servers say `invalid_grant` (RFC 6749 section 5.2).
TokenInformation read_error(const jose::JsonValue &error) noexcept {
  const std::string_view code = string_member(error, "error");
  TokenInformation information =
      refused_response(Outcome::as_error, "the authorization server answered the token exchange with an error");
  if (code == "invalid_request" || code == "invalid_grant") {
    information = refused_response(Outcome::inactive, "the authorization server refuses to exchange this token");
  } else if (code == "invalid_scope") {
    information = refused_response(Outcome::insufficient_scope, "the token lacks a scope that the exchange asks for");
  } else if (code == "invalid_client" || code == "unauthorized_client") {
    information = refused_response(Outcome::as_refused_client, "the authorization server refuses the gateway itself");
  }
  information.server_message = server_message(error);
  return information;
}

}  // namespace

void put_exchange_parameters(jose::Writer &writer, const ExchangeParameters &parameters) noexcept {
  put_parameter(writer, "subject_token_type", access_token_type);
  if (!parameters.requested_token_type.empty()) {
    put_parameter(writer, "requested_token_type", parameters.requested_token_type);
  }
  for (const std::string_view audience : parameters.audiences) {
    put_parameter(writer, "audience", audience);
  }
  for (const std::string_view resource : parameters.resources) {
    put_parameter(writer, "resource", resource);
  }
  if (!parameters.scope.empty()) {
    put_parameter(writer, "scope", parameters.scope);
  }
}

TokenInformation read_exchange(Response &response, std::string_view requested_token_type,
                               jose::Memory &memory) noexcept {
  if (response.status == 200) {
    return read_success(response, requested_token_type, memory);
  }
  if (response.status != 400) {
    return refused_by_status(response, memory);
  }
  const char *problem = nullptr;
  if (const jose::JsonValue *error = read_object(response, memory, problem)) {
    return read_error(*error);
  }
  const Verdict verdict = verdict_by_status(response);
  return refused_response(verdict.outcome, verdict.problem);
}

}  // namespace oauth
