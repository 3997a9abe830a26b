#include "required_values.h"

#include "../../nginx/complex_value.h"
#include "../../nginx/fresh_variables.h"
#include "../../nginx/strings.h"
#include "../configuration/variable_indices.h"

namespace gateway {
namespace {

using oauth::Outcome;

bool holds(std::string_view value) noexcept {
  return !value.empty() && value != "0";
}

Outcome outcome_of_refusal(const phantom_token_required_value_t &required) noexcept {
  return required.status == NGX_HTTP_UNAUTHORIZED ? Outcome::requirement_unauthorized : Outcome::requirement_forbidden;
}

AccessStep check(ngx_http_request_t *r, const ngx_array_t &values) noexcept {
  auto *required = static_cast<phantom_token_required_value_t *>(values.elts);
  for (ngx_uint_t i = 0; i < values.nelts; i++) {
    ngx_str_t value;
    if (!evaluate(r, required[i].value, value)) {
      return no_memory();
    }
    if (!holds(to_view(value))) {
      return {{outcome_of_refusal(required[i]), required[i].problem}};
    }
  }
  return go_on();
}

}  // namespace

Outcome outcome_of_token(const RequestState &state, const phantom_token_location_t &location) noexcept {
  const bool is_unverified = state.client_jwt != nullptr && location.inbound_jwt == PHANTOM_TOKEN_INBOUND_PASS;
  return is_unverified ? Outcome::passed_jwt : Outcome::active;
}

AccessStep check_required_values(ngx_http_request_t *r, RequestState &state,
                                 const phantom_token_location_t &location) noexcept {
  if (location.required_values == nullptr) {
    return go_on();
  }
  note_judgement(state, outcome_of_token(state, location));
  const FreshVariables variables(r, variables_of(r).origins);
  return variables.is_good() ? check(r, *location.required_values) : no_memory();
}

}  // namespace gateway
