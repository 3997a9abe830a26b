#include "client_token.h"

#include <algorithm>

#include "../../nginx/complex_value.h"
#include "../../nginx/pattern.h"
#include "../../nginx/strings.h"
#include "../../oauth/bearer.h"
#include "../configuration/policy.h"
#include "request_state.h"

namespace gateway {
namespace {

using oauth::Credentials;
using oauth::Outcome;

ngx_str_t authorization_of(const ngx_http_request_t *r, const RequestState *state) noexcept {
  if (state != nullptr) {
    return state->authorization;
  }
  const ngx_table_elt_t *header = r->headers_in.authorization;
  return header == nullptr ? ngx_str_t(ngx_null_string) : header->value;
}

/// Goes through the sources in their order, up to the first that is not empty.
/// @return false where there is no memory.
bool take(ngx_http_request_t *r, const ngx_array_t &sources, std::string_view authorization,
          TakenToken &taken) noexcept {
  taken = {&sources, {}, false};
  auto *const *source = static_cast<ngx_http_complex_value_t **>(sources.elts);
  for (ngx_uint_t i = 0; i < sources.nelts; i++) {
    if (source[i] == nullptr) {
      if (oauth::has_bearer_scheme(authorization)) {
        taken.value = authorization;
        return true;
      }
      continue;
    }
    ngx_str_t value;
    if (!evaluate(r->main, *source[i], value)) {
      return false;
    }
    if (value.len != 0) {
      taken.value = to_view(value);
      taken.is_bare = true;
      return true;
    }
  }
  return true;
}

/// @return false where there is no memory.
bool find_taken(ngx_http_request_t *r, const phantom_token_location_t &location, TakenToken &taken) noexcept {
  const RequestState *state = find_state_above(r);
  const std::string_view authorization = to_view(authorization_of(r, state));
  if (location.sources == nullptr) {
    taken = {nullptr, authorization, false};
    return true;
  }
  if (state != nullptr && state->taken.sources == location.sources) {
    taken = state->taken;
    return true;
  }
  if (!take(r, *location.sources, authorization, taken)) {
    return false;
  }
  if (RequestState *own = find_state(r)) {
    own->taken = taken;
  }
  return true;
}

}  // namespace

bool accepts_header(const phantom_token_location_t &location) noexcept {
  if (location.sources == nullptr) {
    return true;
  }
  auto *const *sources = static_cast<ngx_http_complex_value_t **>(location.sources->elts);
  return std::find(sources, sources + location.sources->nelts, nullptr) != sources + location.sources->nelts;
}

oauth::Verdict find_client_token(ngx_http_request_t *r, const phantom_token_location_t &location,
                                 std::string_view &token) noexcept {
  TakenToken taken;
  if (!find_taken(r, location, taken)) {
    return {Outcome::internal_error};
  }
  const oauth::TokenSyntax syntax = location.policy->token_syntax;
  const oauth::BearerCredentials credentials =
      taken.is_bare ? oauth::read_token(taken.value, syntax) : oauth::parse_bearer(taken.value, syntax);
  if (credentials.kind == Credentials::missing) {
    return {Outcome::missing, "no bearer token"};
  }
  if (credentials.kind == Credentials::malformed) {
    return {Outcome::malformed, "no well-formed bearer token"};
  }
  if (location.pattern != nullptr && !matches(*location.pattern, credentials.token, r->connection->log)) {
    return {Outcome::malformed, "the token does not match \"phantom_token_pattern\""};
  }
  token = credentials.token;
  return {Outcome::active};
}

}  // namespace gateway
