#include "variables.h"

#include <string_view>

#include "../oauth/bearer.h"
#include "endpoint.h"
#include "request_state.h"
#include "text.h"

namespace gateway {
namespace {

ngx_int_t set_value(ngx_http_variable_value_t *v, std::string_view value) noexcept {
  v->valid = 1;
  v->no_cacheable = 0;
  v->not_found = 0;
  v->len = static_cast<unsigned>(value.size());
  v->data = text(value).data;
  return NGX_OK;
}

ngx_int_t set_not_found(ngx_http_variable_value_t *v) noexcept {
  v->not_found = 1;
  return NGX_OK;
}

/// $http_authorization
ngx_int_t get_authorization(ngx_http_request_t *r, ngx_http_variable_value_t *v, uintptr_t /*data*/) {
  const ngx_table_elt_t *header = r->headers_in.authorization;
  return header == nullptr ? set_not_found(v) : set_value(v, view(header->value));
}

std::string_view client_token(const ngx_http_request_t *r) noexcept {
  if (const RequestState *state = find_state_above(r)) {
    return oauth::parse_bearer(view(state->authorization)).token;
  }
  const ngx_table_elt_t *header = r->headers_in.authorization;
  return header == nullptr ? std::string_view() : oauth::parse_bearer(view(header->value)).token;
}

/// $phantom_token_key: in the subrequest, what has been computed for it; elsewhere, what would be.
ngx_int_t get_key(ngx_http_request_t *r, ngx_http_variable_value_t *v, uintptr_t /*data*/) {
  if (IntrospectionCall *call = call_above(r)) {
    return set_value(v, {call->key, sizeof(call->key)});
  }
  const auto *location =
      static_cast<phantom_token_location_t *>(ngx_http_get_module_loc_conf(r, ngx_http_phantom_token_module));
  const std::string_view token = client_token(r);
  if (location->introspection_endpoint == nullptr || token.empty()) {
    return set_not_found(v);
  }
  ngx_str_t endpoint;
  auto *key = static_cast<char *>(ngx_pnalloc(r->pool, oauth::cache_key_size));
  if (key == nullptr || ngx_http_complex_value(r, location->introspection_endpoint, &endpoint) != NGX_OK ||
      !introspection_key(r, view(endpoint), token, key)) {
    return NGX_ERROR;
  }
  return set_value(v, {key, oauth::cache_key_size});
}

/// $phantom_token_status
ngx_int_t get_status(ngx_http_request_t *r, ngx_http_variable_value_t *v, uintptr_t /*data*/) {
  const RequestState *state = find_state_above(r);
  return state == nullptr || !state->judged ? set_not_found(v) : set_value(v, oauth::meaning(state->outcome).word);
}

/// $phantom_token_cache
ngx_int_t get_cache_status(ngx_http_request_t *r, ngx_http_variable_value_t *v, uintptr_t /*data*/) {
#if (NGX_HTTP_CACHE)
  const RequestState *state = find_state_above(r);
  if (state != nullptr && state->call != nullptr && state->call->cache_status != 0) {
    return set_value(v, view(ngx_http_cache_status[state->call->cache_status - 1]));
  }
#endif
  return set_not_found(v);
}

/// $phantom_token_jwt
ngx_int_t get_jwt(ngx_http_request_t *r, ngx_http_variable_value_t *v, uintptr_t /*data*/) {
  const RequestState *state = find_state_above(r);
  if (state == nullptr || !state->judged || state->outcome != oauth::Outcome::active) {
    return set_not_found(v);
  }
  return set_value(v, state->call->introspection.jwt.compact);
}

void forget(ngx_http_request_t *r, ngx_uint_t index) noexcept {
  r->variables[index].valid = 0;
  r->variables[index].not_found = 0;
}

const phantom_token_main_t &main_of(const ngx_http_request_t *r) noexcept {
  return *static_cast<phantom_token_main_t *>(ngx_http_get_module_main_conf(r, ngx_http_phantom_token_module));
}

constexpr std::string_view prefix = "phantom_token_";

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
    {"phantom_token_jwt", get_jwt, NGX_HTTP_VAR_NOCACHEABLE},
};

}  // namespace

ngx_int_t add_variables(ngx_conf_t *cf) noexcept {
  for (const Variable &variable : variables) {
    ngx_str_t name = text(variable.name);
    ngx_http_variable_t *added = ngx_http_add_variable(cf, &name, variable.flags);
    if (added == nullptr) {
      return NGX_ERROR;
    }
    added->get_handler = variable.handler;
  }
  return NGX_OK;
}

ngx_int_t index_variables(ngx_conf_t *cf) noexcept {
  auto *main =
      static_cast<phantom_token_main_t *>(ngx_http_conf_get_module_main_conf(cf, ngx_http_phantom_token_module));
  ngx_str_t authorization = ngx_string("http_authorization");
  main->authorization_index = ngx_http_get_variable_index(cf, &authorization);
  main->variable_indices = ngx_array_create(cf->pool, 4, sizeof(ngx_uint_t));
  if (main->authorization_index == NGX_ERROR || main->variable_indices == nullptr) {
    return NGX_ERROR;
  }

  const auto *cmcf =
      static_cast<ngx_http_core_main_conf_t *>(ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module));
  const auto *used = static_cast<const ngx_http_variable_t *>(cmcf->variables.elts);
  for (ngx_uint_t i = 0; i < cmcf->variables.nelts; i++) {
    if (view(used[i].name).substr(0, prefix.size()) != prefix) {
      continue;
    }
    auto *index = static_cast<ngx_uint_t *>(ngx_array_push(main->variable_indices));
    if (index == nullptr) {
      return NGX_ERROR;
    }
    *index = i;
  }
  return NGX_OK;
}

void forget_authorization(ngx_http_request_t *r) noexcept {
  forget(r, static_cast<ngx_uint_t>(main_of(r).authorization_index));
}

void forget_variables(ngx_http_request_t *r) noexcept {
  const ngx_array_t *indices = main_of(r).variable_indices;
  for (ngx_uint_t i = 0; i < indices->nelts; i++) {
    forget(r, static_cast<const ngx_uint_t *>(indices->elts)[i]);
  }
}

}  // namespace gateway
