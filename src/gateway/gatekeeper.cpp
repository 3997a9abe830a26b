#include "gatekeeper.h"

#include <algorithm>
#include <string_view>

#include "../oauth/bearer.h"
#include "../oauth/decision.h"
#include "authorization.h"
#include "policy.h"
#include "pool_memory.h"
#include "refusal.h"
#include "request_state.h"
#include "text.h"

namespace gateway {
namespace {

using oauth::Decision;
using oauth::Outcome;

bool is_stale(const IntrospectionCall &call) noexcept {
  return call.cache_status == NGX_HTTP_CACHE_STALE || call.cache_status == NGX_HTTP_CACHE_UPDATING;
}

const oauth::Introspection &interpret(const ngx_http_request_t *r, IntrospectionCall &call) noexcept {
  if (!call.interpreted) {
    PoolMemory memory(r->pool);
    call.introspection = oauth::read_introspection(call.response, call.jwt_members, memory);
    call.interpreted = true;
  }
  return call.introspection;
}

Decision judge(const ngx_http_request_t *r, const phantom_token_location_t &location,
               IntrospectionCall &call) noexcept {
  if (call.misconfiguration != nullptr) {
    return {Outcome::misconfigured, call.misconfiguration};
  }
  if (call.strayed) {
    return {Outcome::as_bad_response, "the introspection location was left by a redirect"};
  }
  if (call.out_of_memory) {
    return {Outcome::internal_error, "no memory for the response of the authorization server"};
  }
  if (is_stale(call) && location.stale == 0) {
    return {Outcome::stale, "the cached response is stale; \"phantom_token_stale on\" would accept it"};
  }
  return oauth::decide(interpret(r, call), location.policy->claims, ngx_time());
}

ngx_int_t conclude(ngx_http_request_t *r, RequestState &state, const phantom_token_location_t &location) noexcept {
  const Decision decision = judge(r, location, *state.call);
  if (decision.outcome != Outcome::active) {
    return refuse(r, state, location, decision);
  }
  if (!set_authorization(r, state.call->introspection.jwt.compact)) {
    return refuse(r, state, location, {Outcome::internal_error, "no memory for the Authorization header"});
  }
  state.judged = true;
  state.outcome = Outcome::active;
  state.allowed_by = &location;
  return NGX_OK;
}

/// Whether the call's answer is the one that this location would get, read in the way that it would read it.
bool is_answer_for(const IntrospectionCall &call, const phantom_token_location_t &location,
                   std::string_view endpoint) noexcept {
  const oauth::Strings &members = location.policy->jwt_members;
  return call.done && call.endpoint == endpoint && call.largest_response == location.max_response_size &&
         std::equal(members.begin(), members.end(), call.jwt_members.begin(), call.jwt_members.end());
}

/// @return a call of this request or of one of its parents that asked the same endpoint. All of them are about the same
///   token, the client's, and in the same server: neither redirects nor subrequests leave it.
IntrospectionCall *find_answer(const ngx_http_request_t *r, const phantom_token_location_t &location,
                               std::string_view endpoint) noexcept {
  for (; r != nullptr; r = r->parent) {
    const RequestState *state = find_state(r);
    if (state != nullptr && state->call != nullptr && is_answer_for(*state->call, location, endpoint)) {
      return state->call;
    }
  }
  return nullptr;
}

ngx_int_t introspect(ngx_http_request_t *r, RequestState &state, const phantom_token_location_t &location,
                     std::string_view token) noexcept {
  ngx_str_t endpoint;
  if (ngx_http_complex_value(r, location.introspection_endpoint, &endpoint) != NGX_OK) {
    return refuse(r, state, location, {Outcome::internal_error, "no memory for the endpoint"});
  }
  if (endpoint.len == 0 || endpoint.data[0] == '@') {
    return refuse(r, state, location,
                  {Outcome::misconfigured,
                   "\"phantom_token_introspection_endpoint\" evaluates to no URI; give the map a default"});
  }
  IntrospectionCall *answer = find_answer(r, location, view(endpoint));
  state.call = answer;
  if (answer != nullptr) {
    return conclude(r, state, location);
  }
  // The client's request does not wait for these, so nobody would call us again.
  if (r->background != 0 || r->post_action != 0) {
    return refuse(r, state, location,
                  {Outcome::misconfigured,
                   "a mirror or post_action needs the main request's own introspection "
                   "endpoint: no other can be asked here"});
  }
  state.call = start_introspection(r, location, view(endpoint), token);
  if (state.call == nullptr) {
    return refuse(r, state, location, {Outcome::internal_error, "no introspection subrequest could be made"});
  }
  state.waiting = true;
  return NGX_AGAIN;
}

/// A run of the handler that begins anew: the request's first, or one in another location after a redirect.
ngx_int_t begin(ngx_http_request_t *r, RequestState &state, const phantom_token_location_t &location) noexcept {
  if (location.introspection_endpoint == nullptr) {
    state.call = nullptr;
    return refuse(r, state, location,
                  {Outcome::misconfigured,
                   "no location matches, and the server has no \"phantom_token_introspection_endpoint\""});
  }
  const oauth::BearerCredentials credentials = oauth::parse_bearer(view(state.authorization));
  switch (credentials.kind) {
    case oauth::Credentials::missing:
      return refuse(r, state, location, {Outcome::missing, "no bearer token"});
    case oauth::Credentials::malformed:
      return refuse(r, state, location, {Outcome::malformed, "no well-formed bearer token"});
    case oauth::Credentials::bearer:
      break;
  }
  return introspect(r, state, location, credentials.token);
}

}  // namespace

ngx_int_t check_request(ngx_http_request_t *r, const phantom_token_location_t &location) noexcept {
  RequestState *state = get_state(r);
  if (state == nullptr) {
    return NGX_HTTP_INTERNAL_SERVER_ERROR;
  }
  if (!state->waiting) {
    return begin(r, *state, location);
  }
  if (!state->call->done) {
    return NGX_AGAIN;
  }
  state->waiting = false;
  return conclude(r, *state, location);
}

ngx_int_t admit(ngx_http_request_t *r, const phantom_token_location_t &location) noexcept {
  RequestState *state = get_state(r);
  if (state == nullptr) {
    return NGX_HTTP_INTERNAL_SERVER_ERROR;
  }
  // In an error page, the challenge belongs to the status that is being answered.
  if (r->err_status == 0) {
    withdraw_refusal(r);
  }
  if (state->allowed_by == &location) {
    return NGX_DECLINED;
  }

  state->judged = true;
  state->outcome = Outcome::bypassed;
  const ngx_table_elt_t *header = r->headers_in.authorization;
  const bool has_token =
      header != nullptr && oauth::parse_bearer(view(header->value)).kind != oauth::Credentials::missing;
  if (has_token && !remove_authorization(r)) {
    return NGX_HTTP_INTERNAL_SERVER_ERROR;
  }
  return NGX_DECLINED;
}

}  // namespace gateway
