#include "revocation_form.h"

#include <charconv>

#include "form_reader.h"

namespace oauth {
namespace {

constexpr RevokedKind kinds[] = {RevokedKind::token, RevokedKind::jti, RevokedKind::sid, RevokedKind::sub,
                                 RevokedKind::client_id};

constexpr std::string_view logout_token = "logout_token";

RevocationRequest refuse(const char *problem) noexcept {
  RevocationRequest request;
  request.problem = problem;
  return request;
}

/// Those that name what is revoked, with those that may stand beside them.
struct Parameters {
  const FormParameter *subject = nullptr;
  RevokedKind kind = RevokedKind::token;
  std::string_view issuer;
  std::string_view before;
  bool has_issuer = false;
  bool has_before = false;
  bool has_hint = false;
  bool is_logout = false;
};

/// @return nullptr, or what is wrong with this parameter.
const char *take_subject(const FormParameter &parameter, Parameters &parameters) noexcept {
  if (parameters.subject != nullptr) {
    return "the form names more than one of token, jti, sid, sub, client_id, logout_token";
  }
  if (parameter.value.empty()) {
    return "the form names an empty value";
  }
  parameters.subject = &parameter;
  return nullptr;
}

const char *take_parameter(const FormParameter &parameter, Parameters &parameters) noexcept {
  for (const RevokedKind kind : kinds) {
    if (parameter.name == name(kind)) {
      parameters.kind = kind;
      return take_subject(parameter, parameters);
    }
  }
  if (parameter.name == logout_token) {
    parameters.is_logout = true;
    return take_subject(parameter, parameters);
  }
  if (parameter.name == "token_type_hint") {
    parameters.has_hint = true;
  } else if (parameter.name == "iss") {
    parameters.has_issuer = true;
    parameters.issuer = parameter.value;
  } else if (parameter.name == "before") {
    parameters.has_before = true;
    parameters.before = parameter.value;
  } else {
    return "the form has an unknown parameter";
  }
  return nullptr;
}

bool is_claim(const Parameters &parameters) noexcept {
  return !parameters.is_logout && parameters.kind != RevokedKind::token;
}

const char *find_contradiction(const Parameters &parameters) noexcept {
  if (parameters.subject == nullptr) {
    return "the form has none of token, jti, sid, sub, client_id, logout_token";
  }
  if ((parameters.has_issuer || parameters.has_before) && !is_claim(parameters)) {
    return "iss and before belong to jti, sid, sub and client_id";
  }
  if (parameters.has_hint && (parameters.is_logout || parameters.kind != RevokedKind::token)) {
    return "token_type_hint belongs to token";
  }
  return parameters.has_issuer && parameters.issuer.empty() ? "iss is empty" : nullptr;
}

bool read_seconds(std::string_view text, std::int64_t &seconds) noexcept {
  const char *end = text.data() + text.size();
  const std::from_chars_result result = std::from_chars(text.data(), end, seconds);
  return result.ec == std::errc() && result.ptr == end && text.front() != '-';
}

}  // namespace

RevocationRequest read_revocation_form(std::string_view body, std::int64_t now, jose::Memory &memory) noexcept {
  const FormResult form = read_form(body, memory);
  if (form.problem != nullptr) {
    return refuse(form.problem);
  }
  Parameters parameters;
  for (const FormParameter *parameter = form.first; parameter != nullptr; parameter = parameter->next) {
    if (const char *problem = take_parameter(*parameter, parameters)) {
      return refuse(problem);
    }
  }
  if (const char *problem = find_contradiction(parameters)) {
    return refuse(problem);
  }
  RevocationRequest request;
  if (parameters.is_logout) {
    request.logout_token = parameters.subject->value;
    return request;
  }
  request.revocation = {parameters.kind, parameters.subject->value, parameters.issuer, now};
  if (parameters.has_before && !read_seconds(parameters.before, request.revocation.before)) {
    return refuse("before is no number of seconds since 1970");
  }
  return request;
}

}  // namespace oauth
