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

bool has_accepted_scheme(std::string_view authorization, bool accepts_dpop) noexcept {
  return oauth::has_scheme(authorization, oauth::Scheme::bearer) ||
         (accepts_dpop && oauth::has_scheme(authorization, oauth::Scheme::dpop));
}

/// Goes through the sources in their order, up to the first that is not empty.
/// @return false where there is no memory.
bool take(ngx_http_request_t *r, const ngx_array_t &sources, std::string_view authorization,
          TakenToken &taken) noexcept {
  taken.sources = &sources;
  auto *const *source = static_cast<ngx_http_complex_value_t **>(sources.elts);
  for (ngx_uint_t i = 0; i < sources.nelts; i++) {
    if (source[i] == nullptr) {
      if (has_accepted_scheme(authorization, taken.accepts_dpop)) {
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
  taken = {};
  taken.accepts_dpop = accepts_dpop(location);
  if (location.sources == nullptr) {
    taken.value = authorization;
    return true;
  }
  if (state != nullptr && state->taken.sources == location.sources && state->taken.accepts_dpop == taken.accepts_dpop) {
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

oauth::BearerCredentials read(const TakenToken &taken, bool is_dpop, oauth::TokenSyntax syntax) noexcept {
  if (taken.is_bare) {
    return oauth::read_token(taken.value, syntax);
  }
  return is_dpop ? oauth::parse_dpop(taken.value, syntax) : oauth::parse_bearer(taken.value, syntax);
}

}  // namespace

bool accepts_header(const phantom_token_location_t &location) noexcept {
  if (location.sources == nullptr) {
    return true;
  }
  auto *const *sources = static_cast<ngx_http_complex_value_t **>(location.sources->elts);
  return std::find(sources, sources + location.sources->nelts, nullptr) != sources + location.sources->nelts;
}

bool accepts_dpop(const phantom_token_location_t &location) noexcept {
  return oauth::is_checked(location.policy->requirements.confirmation);
}

bool may_have_certificate(const phantom_token_location_t &location) noexcept {
  return location.client_certificate != nullptr || location.enclosing_location->may_have_certificate != 0;
}

oauth::Verdict find_client_token(ngx_http_request_t *r, const phantom_token_location_t &location,
                                 ClientToken &found) noexcept {
  TakenToken taken;
  if (!find_taken(r, location, taken)) {
    return {Outcome::internal_error};
  }
  const bool is_dpop = taken.accepts_dpop && !taken.is_bare && oauth::has_scheme(taken.value, oauth::Scheme::dpop);
  const oauth::BearerCredentials credentials = read(taken, is_dpop, location.policy->token_syntax);
  found = {{}, is_dpop ? oauth::Scheme::dpop : oauth::Scheme::bearer};
  if (credentials.kind == Credentials::missing) {
    return {Outcome::missing,
            taken.accepts_dpop ? "no bearer token, and none with the scheme DPoP" : "no bearer token"};
  }
  if (credentials.kind == Credentials::malformed) {
    return {Outcome::malformed, is_dpop ? "no well-formed token with the scheme DPoP" : "no well-formed bearer token"};
  }
  if (location.pattern != nullptr && !matches(*location.pattern, credentials.token, r->connection->log)) {
    return {Outcome::malformed, "the token does not match \"phantom_token_pattern\""};
  }
  found.token = credentials.token;
  return {Outcome::active};
}

}  // namespace gateway
