#include "variables.h"

#include <string_view>

#include "../../nginx/strings.h"
#include "../../nginx/upstreams.h"
#include "../../oauth/bearer.h"
#include "../configuration/endpoint.h"
#include "../configuration/module_configuration.h"
#include "../configuration/policy.h"
#include "../configuration/pool_memory.h"
#include "../configuration/variable_indices.h"
#include "../subrequest/client_token.h"
#include "../subrequest/endpoint_uri.h"
#include "../subrequest/request_state.h"
#include "claim_variables.h"
#include "variable_value.h"

namespace gateway {
namespace {

constexpr std::string_view client_header_prefix = "phantom_token_http_";

/// $http_authorization
ngx_int_t get_authorization(ngx_http_request_t *r, ngx_http_variable_value_t *v, uintptr_t /*data*/) noexcept {
  const ngx_table_elt_t *header = r->headers_in.authorization;
  return header == nullptr ? set_not_found(v) : set_value(v, to_view(header->value));
}

/// What a key is over beside the token and the server.
struct KeySource {
  std::string_view begin;
  ngx_http_complex_value_t *endpoint = nullptr;  ///< nullptr: an empty one
};

/// As the location would treat the token: a client's own JWT may have a way of its own, and where there is nobody to
/// ask, every token has that.
/// @return false where there is no memory.
bool find_key_source(ngx_http_request_t *r, const phantom_token_location_t &location, std::string_view token,
                     KeySource &source) noexcept {
  const TokenRequestTemplate &token_request = location.policy->token_request;
  source = {token_request.cache_key_begin, token_request.endpoint};
  if (token_request.client_jwt_cache_key_begin.empty()) {
    return true;
  }
  PoolMemory memory(r->pool);
  jose::Jwt jwt;
  const char *problem = nullptr;
  if (token_request.endpoint == nullptr || jose::parse_jwt(token, memory, jwt, problem)) {
    source = {token_request.client_jwt_cache_key_begin, location.jwks_endpoint};
  }
  return !memory.ran_out();
}

/// @return an empty view where there is no memory, or OpenSSL fails.
std::string_view make_key(ngx_http_request_t *r, const phantom_token_location_t &location,
                          std::string_view token) noexcept {
  KeySource source;
  ngx_str_t endpoint = ngx_null_string;
  auto *key = static_cast<char *>(ngx_pnalloc(r->pool, jose::hex_digest_size));
  if (key == nullptr || !find_key_source(r, location, token, source) ||
      (source.endpoint != nullptr && !evaluate_endpoint(r, source.endpoint, endpoint)) ||
      !make_cache_key(r, source.begin, to_view(endpoint), token, key)) {
    return {};
  }
  return {key, jose::hex_digest_size};
}

/// $phantom_token_key: in the subrequest, what has been computed for it; elsewhere, what would be.
ngx_int_t get_key(ngx_http_request_t *r, ngx_http_variable_value_t *v, uintptr_t /*data*/) noexcept {
  if (const AsRequest *request = as_request_above(r)) {
    return set_value(v, {request->asked.cache_key, sizeof(request->asked.cache_key)});
  }
  const phantom_token_location_t &location = location_of(r);
  const bool has_endpoint = location.policy->token_request.endpoint != nullptr;
  ClientToken client;
  const oauth::Verdict found = find_client_token(r, location, client);
  const bool is_lost = found.outcome == oauth::Outcome::internal_error;
  if (!is_lost && (client.token.empty() || (location.enabled == PHANTOM_TOKEN_OFF && !has_endpoint))) {
    return set_not_found(v);
  }
  const std::string_view key = is_lost ? std::string_view() : make_key(r, location, client.token);
  if (key.empty()) {
    v->no_cacheable = 0;  // how has_lost_key() tells this from a request without a token
    return NGX_ERROR;
  }
  return set_value(v, key);
}

/// $phantom_token_jwks_refresh: for proxy_cache_bypass in the location that reaches the JWK Set.
ngx_int_t get_jwks_refresh(ngx_http_request_t *r, ngx_http_variable_value_t *v, uintptr_t /*data*/) noexcept {
  const AsRequest *request = as_request_above(r);
  return request != nullptr && request->asked.bypasses_cache ? set_value(v, "1") : set_not_found(v);
}

/// $phantom_token_status
ngx_int_t get_status(ngx_http_request_t *r, ngx_http_variable_value_t *v, uintptr_t /*data*/) noexcept {
  const RequestState *state = find_state_above(r);
  return state == nullptr || !state->is_judged ? set_not_found(v) : set_value(v, oauth::meaning(state->outcome).word);
}

const AsRequest *find_answer(const ngx_http_request_t *r) noexcept {
  const RequestState *state = find_state_above(r);
  return state != nullptr && state->answer != nullptr && state->answer->running.progress == Progress::done
             ? state->answer
             : nullptr;
}

/// $phantom_token_cache
ngx_int_t get_cache_status(ngx_http_request_t *r, ngx_http_variable_value_t *v, uintptr_t /*data*/) noexcept {
#if (NGX_HTTP_CACHE)
  const AsRequest *answer = find_answer(r);
  if (answer != nullptr && answer->interpreted.source == AnswerSource::hot_cache) {
    return set_value(v, "HOT");
  }
  if (answer != nullptr && answer->captured.cache.status != 0) {
    return set_value(v, to_view(ngx_http_cache_status[answer->captured.cache.status - 1]));
  }
#endif
  return set_not_found(v);
}

/// $phantom_token_time, in the form of $upstream_response_time
ngx_int_t get_time(ngx_http_request_t *r, ngx_http_variable_value_t *v, uintptr_t /*data*/) noexcept {
  const AsRequest *answer = find_answer(r);
  if (answer == nullptr) {
    return set_not_found(v);
  }
  auto *value = static_cast<u_char *>(ngx_pnalloc(r->pool, NGX_TIME_T_LEN + 4));
  if (value == nullptr) {
    return NGX_ERROR;
  }
  const u_char *end = ngx_sprintf(value, "%T.%03M", static_cast<time_t>(answer->captured.duration / 1000),
                                  answer->captured.duration % 1000);
  return set_value(v, to_view({static_cast<size_t>(end - value), value}));
}

/// $phantom_token_jwt: what is forwarded
ngx_int_t get_jwt(ngx_http_request_t *r, ngx_http_variable_value_t *v, uintptr_t /*data*/) noexcept {
  return accepted(r) == nullptr ? set_not_found(v) : set_value(v, find_state_above(r)->forwarded_jwt);
}

/// $phantom_token_http_NAME: $http_NAME of the client's request, but Authorization as the client sent it.
ngx_int_t get_client_header(ngx_http_request_t *r, ngx_http_variable_value_t *v, uintptr_t data) noexcept {
  // NOLINTNEXTLINE(performance-no-int-to-ptr): so nginx hands over the name of a variable with a prefix.
  ngx_str_t name = to_ngx_str(to_view(*reinterpret_cast<ngx_str_t *>(data)).substr(variable_prefix.size()));
  const RequestState *state = find_state(r->main);
  if (state != nullptr && to_view(name) == "http_authorization") {
    return state->authorization.data == nullptr ? set_not_found(v) : set_value(v, to_view(state->authorization));
  }
  const ngx_http_variable_value_t *header = ngx_http_get_variable(r->main, &name, ngx_hash_key(name.data, name.len));
  if (header == nullptr) {
    return NGX_ERROR;
  }
  *v = *header;
  return NGX_OK;
}

struct Variable {
  std::string_view name;
  ngx_http_get_variable_pt handler;
  ngx_uint_t flags;
};

/// All can change within one request, at redirects, and subrequests share the array of values.
constexpr Variable variables[] = {
    {"http_authorization", get_authorization, NGX_HTTP_VAR_CHANGEABLE | NGX_HTTP_VAR_NOCACHEABLE},
    {"phantom_token_key", get_key, NGX_HTTP_VAR_NOCACHEABLE},
    {"phantom_token_status", get_status, NGX_HTTP_VAR_NOCACHEABLE},
    {"phantom_token_cache", get_cache_status, NGX_HTTP_VAR_NOCACHEABLE},
    {"phantom_token_time", get_time, NGX_HTTP_VAR_NOCACHEABLE},
    {"phantom_token_jwt", get_jwt, NGX_HTTP_VAR_NOCACHEABLE},
    {"phantom_token_sub", get_sub, NGX_HTTP_VAR_NOCACHEABLE},
    {"phantom_token_client_id", get_client_id, NGX_HTTP_VAR_NOCACHEABLE},
    {"phantom_token_scope", get_scope, NGX_HTTP_VAR_NOCACHEABLE},
    {claim_prefix, get_claim, NGX_HTTP_VAR_NOCACHEABLE | NGX_HTTP_VAR_PREFIX},
    {client_header_prefix, get_client_header, NGX_HTTP_VAR_NOCACHEABLE | NGX_HTTP_VAR_PREFIX},
    {"phantom_token_jwks_refresh", get_jwks_refresh, NGX_HTTP_VAR_NOCACHEABLE},
};

}  // namespace

ngx_int_t add_variables(ngx_conf_t *cf) noexcept {
  for (const Variable &variable : variables) {
    ngx_str_t name = to_ngx_str(variable.name);
    ngx_http_variable_t *added = ngx_http_add_variable(cf, &name, variable.flags);
    if (added == nullptr) {
      return NGX_ERROR;
    }
    added->get_handler = variable.handler;
  }
  return NGX_OK;
}

}  // namespace gateway
